"""The folder of a run, in TensorFlow 1's own formats.

    runs/vae/flags.json      the script and its flags
             train/, test/   TensorBoard's curves (tf.summary.FileWriter)
             weights-<n>.*   after epoch n (tf.train.Saver): the newest twenty
             pictures/       what the script drew
             results.json    what the run came to; a run without it was stopped

Each run gets a folder of its own: where the one asked for is there, a number is added, and nothing is overwritten. A
run of hours asks to `resume`: the same command on the same folder then goes on after the newest whole epoch.
"""

import itertools
import json
import time
from collections.abc import Iterator
from pathlib import Path

from lecture10_vae.tf1 import tf, tfp
from lecture10_vae.utils.command_line import UserError, flag
from lecture10_vae.utils.run_text import describe

import numpy as np
from tqdm import tqdm

KEPT = 20  # epochs whose weights stay


class Run:
    """A run's folder, and what the terminal shows of it. Make it when the graph is built, as it records the graph.

    Args:
        script: the file of the script whose run it is.
        logdir: the folder.
        flags: the script's flags, by name.
        parts: of the data, each with curves of its own.
        resume: go on in the folder if it holds a run with the same flags.

    Raises UserError if the folder cannot be made, or holds another run, which this one would resume.
    """

    def __init__(self, script: str, logdir: Path | str, flags: dict, parts=("train", "test"), resume: bool = False):
        self.flags = {name: value if isinstance(value, int | float) else str(value) for name, value in flags.items()}
        self.flags["script"] = Path(script).stem
        del self.flags["logdir"]  # a run that has been moved is the same run
        asked = Path(logdir).expanduser()
        if any(sign in asked.as_posix() for sign in "*?[]\\"):
            raise UserError(f"--logdir {logdir}: for TensorFlow * ? [ ] and \\ are patterns; choose a name without.")
        recorded = read_flags(asked) if resume else {}
        if change := next((name for name in recorded if recorded[name] != self.flags.get(name)), None):
            raise UserError(f"{asked} holds a run with {flag(change)} {recorded[change]}: choose another --logdir.")
        killed_at_once = resume and asked.is_dir() and {path.name for path in asked.iterdir()} <= {"flags.json"}
        self.folder = asked if recorded or killed_at_once else _make_folder(asked)
        if not recorded:  # once only, so that no kill can spoil it
            _write_json(self.folder / "flags.json", self.flags)
        self._newest = tf.train.latest_checkpoint(str(self.folder))
        self._first = int(self._newest.rpartition("-")[2]) + 1 if self._newest else 0
        suffix = f".{self._first:06d}"  # a file's name has the second, in which another may have been made
        self.writers = {part: tf.summary.FileWriter(self.folder / part, filename_suffix=suffix) for part in parts}
        for writer in self.writers.values():  # by this TensorBoard leaves out what an interrupted epoch has written
            writer.add_session_log(tf.SessionLog(status=tf.SessionLog.START), self._first)
        if not self._newest:
            self.writers[parts[0]].add_graph(tf.get_default_graph())  # before the Saver adds its own to it
        self.saver = tf.train.Saver(max_to_keep=KEPT, save_relative_paths=True)  # so that the folder can be moved
        self.writers[parts[-1]].add_summary(describe(script, self.flags))  # where the numbers are that are printed
        self._started = time.perf_counter()

    def epochs(self, session: tf.Session, count: int) -> Iterator[int]:
        """Yields the epochs to do, with a progress bar: 0, which is before any training, to `count`."""
        if self._newest:
            self.saver.restore(session, self._newest)
            print(f"{self.folder}: going on after epoch {self._first - 1}.")
        with tqdm(total=count, initial=self._first, unit=" epochs", disable=None, leave=False) as bar:
            for epoch in range(self._first, count + 1):
                yield epoch
                bar.update(epoch > 0)

    def write(self, step: int, **parts: dict[str, float]) -> None:
        """Adds numbers, by the part of the data, to TensorBoard's curves. Raises UserError if one is not finite."""
        for part, numbers in parts.items():
            for name, number in numbers.items():
                if not np.isfinite(number):
                    raise UserError(
                        f"Training diverges: {name} ({part}) is {number} at {step}. Try a lower --learning-rate; "
                        "in a script that you edited, look at the loss and its sign."
                    )
            values = [tf.Summary.Value(tag=name, simple_value=number) for name, number in numbers.items()]
            self.writers[part].add_summary(tf.Summary(value=values), step)
            self.writers[part].flush()

    def log(self, session: tf.Session, epoch: int, **parts: dict[str, float]) -> None:
        """Ends an epoch: `write`s its numbers, prints those of the last part, and saves the weights."""
        self.write(epoch, **parts)
        self.saver.save(session, str(self.folder / "weights"), epoch, write_meta_graph=False)
        for numbers in [*parts.values()][-1:]:
            self._print(epoch, numbers | {"seconds": time.perf_counter() - self._started})

    def _print(self, epoch: int, numbers: dict[str, float]) -> None:
        if epoch == self._first:
            tqdm.write("epoch" + "".join(f"{name:>15}" for name in numbers))
        shown = (f"{number:15.4f}" if abs(number) < 1 else f"{number:15.2f}" for number in numbers.values())
        tqdm.write(f"{epoch:5d}{''.join(shown)}")

    def finish(self, **numbers: object) -> dict:
        """Writes results.json: the numbers, the flags, the seconds and the versions. Returns what it says."""
        for writer in self.writers.values():
            writer.close()
        versions = {"tensorflow": tf.__version__, "tensorflow-probability": tfp.__version__, "numpy": np.__version__}
        results = numbers | self.flags | {"seconds": time.perf_counter() - self._started, "versions": versions}
        _write_json(self.folder / "results.json", results)
        print(f"Pictures, curves, weights and numbers: {self.folder}")
        return results


def restore(session: tf.Session, folder: Path | str, epoch: int | None = None) -> None:
    """Gives the session's variables the weights of a run, as tf.train.Saver does.

    Args:
        folder: of the run.
        epoch: the weights as they were after it; the newest if not given.

    Raises UserError if the folder holds no such weights, or those of another model.
    """
    folder = Path(folder).expanduser()
    path = tf.train.latest_checkpoint(str(folder)) if epoch is None else str(folder / f"weights-{epoch}")
    if path is None or not tf.train.checkpoint_exists(path):
        what = "no weights" if epoch is None else f"no weights of epoch {epoch}"
        what = f"holds {what}" if folder.exists() else "is not there"
        raise UserError(f"{folder} {what}: give the folder of a run that has some.")
    saved = dict(tf.train.list_variables(path))
    with session.graph.as_default():
        for variable in tf.trainable_variables():
            if saved.get(variable.op.name) != variable.shape.as_list():
                raise UserError(f"{folder} holds the weights of another model: it has no {variable.op.name} like this.")
        there = [variable for variable in tf.global_variables() if variable.op.name in saved]
        tf.train.Saver(there).restore(session, path)


def read_flags(folder: Path | str) -> dict:
    """What the run in a folder was called with; empty if there is none."""
    try:
        return json.loads((Path(folder) / "flags.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def read_curves(folder: Path | str) -> dict[str, list[tuple[int, float]]]:
    """The curves of a part of a run, of runs/vae/test, say, as TensorBoard reads them: by name (epoch, number)."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder), {"scalars": 0}).Reload()
    return {name: [(event.step, event.value) for event in events.Scalars(name)] for name in events.Tags()["scalars"]}


def _make_folder(asked: Path) -> Path:
    """The folder, or where it exists the next that does not: runs/vae_2."""
    asked = folder = asked if asked.name.strip(".") else asked.resolve()  # "." and ".." are no names to add to
    for number in itertools.count(2):
        try:
            folder.mkdir(parents=True)
            break
        except FileExistsError:
            folder = asked.with_name(f"{asked.name}_{number}")
        except OSError as error:
            raise UserError(f"--logdir {asked}: {error.strerror}.") from error
    if folder != asked:
        print(f"{asked} exists: this run is in {folder}")
    return folder


def _write_json(path: Path, content: dict) -> None:
    path.write_text(json.dumps(content, indent=2, default=float) + "\n", encoding="utf-8")
