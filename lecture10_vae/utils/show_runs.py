"""TensorBoard on all runs, open to this machine alone:

    python lecture10_vae/utils/show_runs.py

Its address is printed: port 6006, or the next that is free. TensorBoard's own flags may follow, say `--logdir` for
another folder than runs.
"""

import logging
import sys
from pathlib import Path

FLAGS = [
    "--logdir=runs",
    "--host=127.0.0.1",
    "--samples_per_plugin=images=100",  # pictures of so many epochs, where it would keep ten of them
    "--load_fast=false",  # the fast loader prints a note, and for runs of this size it is not faster
]


def main() -> None:
    """Serves the runs until Ctrl-C; exits with a line that says what to do if there are none."""
    sys.modules["tensorflow"] = None  # TensorBoard does without: it starts in seconds, and nothing else is printed
    from tensorboard import default, program

    logging.getLogger("tensorboard").setLevel(logging.ERROR)  # it warns of a script's second run in the same folder
    tensorboard = program.TensorBoard(plugins=default.get_plugins())
    tensorboard.configure(["tensorboard", *FLAGS, *sys.argv[1:]])
    logdir = Path(tensorboard.flags.logdir)
    if not any(logdir.glob("**/*.tfevents.*")):
        sys.exit(f"{logdir} holds no run: train one first, python lecture10_vae/vae.py (make vae).")
    sys.exit(tensorboard.main())


if __name__ == "__main__":
    main()
