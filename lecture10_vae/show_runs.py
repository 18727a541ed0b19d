"""TensorBoard on all runs, open to this machine alone:

    .venv/bin/python lecture10_vae/show_runs.py

An address is printed that shows the curves of all runs of the script that ran last, as they are, not smoothed; the port
is 6006, or the next that is free. TensorBoard's own flags may follow: `--logdir` for another folder than runs,
`--path_prefix` behind a proxy, as JupyterHub has one, or `--bind_all` to let other machines look, too.
"""

import contextlib
import io
import json
import logging
import re
import sys
import time
from pathlib import Path
from urllib.parse import urlencode

import lecture10_vae  # noqa: F401 (which tells a Python that is not the environment's in one line)

FLAGS = [
    "--samples_per_plugin=images=100",  # pictures of so many epochs, where it would keep ten of them
    "--load_fast=false",  # the fast loader prints a note, and for runs of this size it is not faster
]


def main() -> None:
    """Serves the runs until Ctrl-C; exits with a line that says what to do if there are none."""
    sys.modules["tensorflow"] = None  # TensorBoard does without: it starts in seconds, and nothing else is printed
    from tensorboard import program
    from tensorboard.plugins.base_plugin import FlagsError

    logging.getLogger("tensorboard").setLevel(logging.ERROR)  # it warns of a script's second run in the same folder
    tensorboard = program.TensorBoard(plugins=make_plugins())
    complaint = io.StringIO()
    try:
        with contextlib.redirect_stderr(complaint):
            several = any(flag.startswith("--logdir_spec") for flag in sys.argv)
            runs = [] if several else ["--logdir=runs"]
            host = [] if "--bind_all" in sys.argv else ["--host=127.0.0.1"]
            tensorboard.configure(["tensorboard", *host, *FLAGS, *runs, *sys.argv[1:]])
            logdir = tensorboard.flags.logdir
            newest = find_newest_run(Path(logdir)) if logdir else None
            if logdir and newest is None:
                sys.exit(f"{logdir} holds no run: train one first, .venv/bin/python lecture10_vae/vae.py (make vae).")
            url = tensorboard.launch()
    except SystemExit as error:
        said = complaint.getvalue().strip().splitlines()  # the last line says what is wrong
        sys.exit(said[-1] if error.code in (1, 2) and said else error.code)
    except (FlagsError, program.TensorBoardServerException) as error:
        sys.exit(str(getattr(error, "msg", error)))
    with contextlib.suppress(KeyboardInterrupt):
        print(f"TensorBoard at {url}{make_query(Path(logdir), newest) if newest else ''} (Ctrl-C ends it)", flush=True)
        while True:
            time.sleep(3_600)


def find_newest_run(logdir: Path) -> Path | None:
    """The folder of the newest events under a folder, without the part; None if there are none."""
    files = sorted(logdir.glob("**/*tfevents*"), key=lambda file: file.stat().st_mtime)
    return files[-1].parent.parent if files else None


def make_query(logdir: Path, run: Path) -> str:
    """The end of an address that shows the curves of all runs, under a folder, of the script whose run it is."""
    runs = [path.parent for path in logdir.glob("**/flags.json") if read_script(path.parent) == read_script(run)]
    names = sorted({path.relative_to(logdir).as_posix() for path in [run, *runs] if path.is_relative_to(logdir)})
    stems = sorted({re.sub(r"_\d+$", "", name) for name in names})  # so that runs to come are shown, too
    pattern = "" if "." in names or not names else rf"^({'|'.join(map(re.escape, stems))})(_\d+)?/"
    return "?" + urlencode({"runFilter": pattern, "tagFilter": ".", "smoothing": 0}) + "#timeseries"


def read_script(run: Path) -> str:
    """The name of the script whose run is in a folder; empty if that is not known."""
    try:
        return json.loads((run / "flags.json").read_text(encoding="utf-8"))["script"]
    except (OSError, ValueError, KeyError):
        return ""


def make_plugins() -> list:
    """TensorBoard's plugins, with a projector whose tab is there from the start."""
    from tensorboard import default
    from tensorboard.plugins.projector.projector_plugin import ProjectorPlugin

    class Projector(ProjectorPlugin):
        def is_active(self) -> bool:
            self._determine_is_active()  # at once; the original looks in a thread, and says no until then
            return self._is_active

    return [Projector if plugin is ProjectorPlugin else plugin for plugin in default.get_plugins()]


if __name__ == "__main__":
    main()
