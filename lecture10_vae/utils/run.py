"""What the session loops share: a run's folder with its configuration, checkpoints, curves and results.

    config.json                 whose folder it is: the script, what its weights depend on, digests of its source
    checkpoints/epoch-<n>.npz   an epoch: the weights by name, the configuration and the history, in one file
    history.json                the numbers of all epochs, to read
    train/, test/, ...          TensorBoard's curves, a file an epoch
    pictures/, results.json     what the run came to

An epoch is done if its checkpoint can be read as a whole; the curves can be made anew from that. So a run may be
stopped at any moment, moved or copied.
"""

import contextlib
import json
import math
import time
from collections.abc import Iterable, Iterator
from importlib import metadata
from pathlib import Path

import filelock
from tqdm import tqdm

from lecture10_vae.tf1 import tf
from lecture10_vae.utils import checkpoints, events
from lecture10_vae.utils import sources as source_files
from lecture10_vae.utils.command_line import UserError, check_memory
from lecture10_vae.utils.files import write_json

_PACKAGES = ["tensorflow", "tensorflow-probability", "numpy", "scipy", "matplotlib"]
_PARTS = ["train", "test", "point_estimate", "walk", "slide"]
_PICTURES = [  # of all scripts
    "bound", "confusion", "decoder", "densities", "divergence", "doubtful", "estimates", "gaps", "manifold", "outputs",
    "posteriors", "pruning", "reconstructions", "reliability", "results", "rotation", "steps", "unfamiliar", "walk",
    "weights",
]  # fmt: skip
_PROJECTOR = ["codes.tsv", "labels.tsv", "digits.png", "projector_config.pbtxt"]


class Run:
    """One training run and its folder.

        with tf.Session() as session, Run(__file__, logdir, config) as run:
            for epoch in run.epochs(session, 15, len(train.pixels)):
                if epoch > 0:  # epoch 0 is the untrained model
                    for batch in run.progress(batches):
                        session.run(optimize, ...)
                run.write("test", epoch, numbers)
                run.save(session, epoch)

    A run that was stopped, in whatever way, goes on after the last epoch that it saved.

    Args:
        script: the file of the script whose run it is.
        logdir: the run's folder; made if there is none.
        config: all that the trained weights depend on, but for the number of epochs and the source.
        fresh: begin anew, replacing an earlier run in the folder once the new one works.
        sources: more files whose source the weights depend on.

    Raises:
        UserError: the folder holds another run, or something else, or is in use.
    """

    def __init__(self, script: str, logdir: Path, config: dict, fresh: bool = False, sources: tuple[str, ...] = ()):
        self.logdir = Path(logdir)
        self.config = {"script": Path(script).stem, **config, "source": source_files.digests(script, *sources)}
        self.pictures_dir = self.logdir / "pictures"
        self._fresh = fresh
        self.history, self._numbers, self._events, self._kept = [], {}, {}, set()
        self._bar = self._columns = None
        self._refuse_what_is_not_ours()
        self._made = [folder for folder in (self.logdir, *self.logdir.parents) if not folder.exists()]
        self.logdir.mkdir(parents=True, exist_ok=True)
        self._lock = filelock.FileLock(self.logdir / ".lock")
        try:
            self._lock.acquire(blocking=False)
            self._refuse_what_is_not_ours()  # once more, as another process may have written since
        except filelock.Timeout as error:
            raise UserError(f"{self.logdir} is in use by another process: wait, or choose another --logdir.") from error
        except BaseException:
            self._lock.release()
            raise

    def __enter__(self) -> "Run":
        return self

    def __exit__(self, *exception) -> None:
        if self._bar is not None:
            self._bar.close()
        self._lock.release()
        if self._made and [path.name for path in self.logdir.iterdir()] == [".lock"]:  # nothing came of it
            (self.logdir / ".lock").unlink()
            for folder in self._made:
                with contextlib.suppress(OSError):  # by a/../b two of them are one
                    folder.rmdir()

    def begin(self, session: tf.Session, slide: list[tf.Tensor] = (), part: str = "train") -> None:
        """Starts the session's variables, and makes the folder this run's.

        What an earlier run has left goes only now, when the graph is known to work.

        Args:
            slide: what the slide computes. Its graph, without the steps of training, gets a place of its own.
            part: where the whole graph and the configuration are shown.
        """
        graph = session.graph.as_graph_def()
        check_memory(_memory_needed(), "the model: lower --hidden-size, say")
        session.run(tf.global_variables_initializer())
        _clear(self.logdir)
        write_json(self.logdir / "config.json", self.config)
        self.pictures_dir.mkdir(exist_ok=True)
        self._events = {part: [events.graph(graph), events.configuration(self.config)]}
        if slide:
            names = [tensor.op.name for tensor in slide]
            self._events["slide"] = [events.graph(tf.graph_util.extract_sub_graph(graph, names))]

    def epochs(
        self,
        session: tf.Session,
        epochs: int,
        images_per_epoch: int,
        keep: Iterable[int] = (),
        slide: list[tf.Tensor] = (),
    ) -> Iterator[int]:
        """Yields the epochs that are still to do: 0, the untrained model, to `epochs`, the last.

        Starts the session's variables, from the newest epoch that can be read, if there is one.

        Args:
            keep: epochs whose checkpoints stay. Of the others the newest two do, in case one cannot be read.
            slide: as for `begin`.
        """
        newest = self.newest()
        done = newest.number if newest else -1
        if done > epochs:
            raise UserError(
                f"{self.logdir} has been trained for {done} epochs, --epochs {epochs} is fewer: "
                f"ask for more, or choose another --logdir ({_next_to(self.logdir)} is free)."
            )
        self._kept = set(keep)
        if newest:
            self._go_on(session, newest, epochs)
        else:
            self.begin(session, slide)
        self._bar = tqdm(
            total=epochs * images_per_epoch,
            initial=max(done, 0) * images_per_epoch,
            unit=" images",
            unit_scale=True,
            disable=None,  # no bar where the output is not a terminal
            leave=False,
        )
        for epoch in range(done + 1, epochs + 1):
            self._epoch_started = time.perf_counter()
            yield epoch
        self._bar.close()

    def newest(self) -> checkpoints.Epoch | None:
        """The newest epoch that can be read; none of an earlier run that this one replaces."""
        replaces = self._fresh and not self.history
        return None if replaces else checkpoints.read_newest(self.logdir, self.config)

    def progress(self, batches: Iterable) -> Iterator:
        """Yields the mini-batches and moves the progress bar on by the images in each."""
        for batch in batches:
            yield batch
            self.advance(len(batch[0]))

    def advance(self, images: int) -> None:
        """Moves the progress bar on."""
        self._bar.update(images)

    def write(self, part: str, epoch: int, numbers: dict[str, float]) -> None:
        """Adds an epoch to the curves of a part of the data.

        Args:
            part: "train" or "test", which share TensorBoard's plots.
            numbers: by name, the objective first; those of the test part make the epoch's line on the screen.

        Raises:
            UserError: training has diverged.
        """
        numbers = {name: float(value) for name, value in numbers.items()}
        self._refuse_divergence(part, epoch, numbers)
        self._numbers[part] = numbers
        self._events.setdefault(part, []).append(events.scalars(numbers, epoch))

    def show(self, part: str, epoch: int, summary: bytes) -> None:
        """Adds what else `tf.summary` made of a part of the data to what TensorBoard shows."""
        self._events.setdefault(part, []).append(events.summary(summary, epoch))

    def flush(self, step: int) -> None:
        """Writes what there is for TensorBoard, as the files of a step, or epoch."""
        for part, some in self._events.items():
            events.write(self.logdir / part, step, some)
        self._events = {}

    def save(self, session: tf.Session, epoch: int) -> None:
        """Keeps an epoch: its curves, its line on the screen, and the checkpoint, by which it is done."""
        self.flush(epoch)
        seconds = round(time.perf_counter() - self._epoch_started, 3)
        self.history.append({"epoch": epoch, "seconds": seconds, **self._numbers})
        weights = session.run({variable.op.name: variable for variable in tf.global_variables()})
        checkpoints.write(self.logdir, checkpoints.Epoch(epoch, self.config, self.history, weights))
        write_json(self.logdir / "history.json", self.history)
        for number in checkpoints.numbers_of(self.logdir):
            if number < epoch - 1 and number not in self._kept:
                checkpoints.path_of(self.logdir, number).unlink()
        if self._numbers:
            self._print_line(epoch, self._numbers.get("test", self._numbers.get("train")) | {"seconds": seconds})
        self._numbers = {}  # another epoch may have none

    def restore(self, session: tf.Session, epoch: int) -> bool:
        """Loads the weights as they were after an epoch; False if it has no checkpoint that can be read."""
        saved = checkpoints.read(self.logdir, epoch)
        if saved:
            checkpoints.load(session, saved)
        return saved is not None

    def finish(self, picture: str | None, **results) -> dict:
        """Writes results.json: `results`, the configuration, the seconds of training, and the versions it ran on.

        Args:
            picture: the file in pictures/ to name on the screen; None for one run of many.
        """
        results |= {name: value for name, value in self.config.items() if name != "source"}
        if self.history:
            results["epochs"] = self.history[-1]["epoch"]
            results["seconds"] = round(sum(epoch["seconds"] for epoch in self.history), 1)
        results["versions"] = {package: metadata.version(package) for package in _PACKAGES}
        write_json(self.logdir / "results.json", results)
        if picture is not None:
            among_runs = Path("runs") in self.logdir.parents
            here = "make tensorboard (or lecture10_vae/show_runs.py)"
            there = f"python lecture10_vae/show_runs.py --logdir {self.logdir}"
            print(f"Picture: {self.pictures_dir / picture}\nCurves: {here if among_runs else there}")
        return results

    def _refuse_what_is_not_ours(self) -> None:
        if self.logdir.exists() and not self.logdir.is_dir():
            raise UserError(f"{self.logdir} is a file: choose another --logdir.")
        elsewhere = f"choose another --logdir ({_next_to(self.logdir)} is free)"
        earlier = read_config(self.logdir)
        if earlier is None:
            for path in self.logdir.glob("*"):
                if not path.name.startswith(".") and path.name != "config.json.unfinished":
                    raise UserError(f"{self.logdir} holds {path.name}, but no run that can be read: {elsewhere}.")
            return
        begun = checkpoints.numbers_of(self.logdir) or (self.logdir / "results.json").exists()
        if begun and not self._fresh and (change := source_files.describe_change(earlier, self.config)):
            raise UserError(f"{self.logdir} holds another run ({change}): {elsewhere}, or --fresh to replace it.")

    def _refuse_divergence(self, part: str, epoch: int, numbers: dict[str, float]) -> None:
        objective = next(iter(numbers))
        for name, value in numbers.items():
            untrained = self.history[0].get(part, {}).get(name, value) if self.history else value
            worse = part == "train" and name == objective and value < untrained - abs(untrained) / 2
            if worse or not math.isfinite(value):
                kept = f"Epoch {epoch - 1} is kept. " if self.history else ""
                in_epochs = self._bar is not None
                where = f"in epoch {epoch} {name} on {part} images" if in_epochs else f"at step {epoch} {name}"
                rate = self.config.get("learning_rate")
                raise UserError(
                    f"{self.logdir}: training diverges, {where} is {value:.4g}. {kept}"
                    f"Try a --learning-rate below {rate}, with another --logdir ({_next_to(self.logdir)} is free)."
                )

    def _go_on(self, session: tf.Session, newest: checkpoints.Epoch, epochs: int) -> None:
        """Loads the newest epoch, and makes anew from it what of the record is missing."""
        checkpoints.load(session, newest)
        self.history = newest.history
        write_json(self.logdir / "config.json", self.config)
        write_json(self.logdir / "history.json", self.history)
        self.pictures_dir.mkdir(exist_ok=True)
        for entry in self.history:
            for part in filter(entry.get, _PARTS):
                if not events.holds(self.logdir / part, entry["epoch"], entry[part]):
                    curves = [events.scalars(entry[part], entry["epoch"])]
                    events.write(self.logdir / part, entry["epoch"], curves)
        for number in checkpoints.numbers_of(self.logdir):
            if number > newest.number:
                print(f"{checkpoints.path_of(self.logdir, number)} cannot be read, or is another run's.")
        what = "nothing left to train" if newest.number == epochs else "going on"
        print(f"{self.logdir}: {what} after epoch {newest.number}.")

    def _print_line(self, epoch: int, numbers: dict[str, float]) -> None:
        if self._columns is None:
            self._columns = {name: max(len(name), 7) for name in numbers}
            tqdm.write("epoch " + " ".join(f"{name:>{width}}" for name, width in self._columns.items()))
        digits = {name: 1 if name == "seconds" else 4 if abs(value) <= 1 else 2 for name, value in numbers.items()}
        shown = {name: f"{value:.{digits[name]}f}" for name, value in numbers.items()}
        tqdm.write(f"{epoch:5d} " + " ".join(f"{shown[name]:>{width}}" for name, width in self._columns.items()))


def read_config(logdir: Path) -> dict | None:
    """The configuration of the run in a folder; None if there is none of ours."""
    try:
        config = json.loads((Path(logdir) / "config.json").read_bytes())
    except (OSError, ValueError):
        newest = checkpoints.read_newest(Path(logdir))
        config = newest.config if newest else None
    ours = isinstance(config, dict) and isinstance(config.get("source"), dict) and isinstance(config.get("script"), str)
    return config if ours else None


def refuse_run(logdir: Path) -> None:
    """Raises UserError if a folder that is to hold the folders of several runs is itself that of one."""
    if Path(logdir).is_file() or read_config(logdir):
        raise UserError(
            f"{logdir} is no folder for several runs: choose another --logdir ({_next_to(logdir)} is free)."
        )


def _memory_needed() -> int:
    """About how many bytes the default graph takes: its variables, their gradients, and 10,000 images' way through."""
    variables = sum(variable.dtype.size * variable.shape.num_elements() for variable in tf.global_variables())
    kernels = (variable.shape for variable in tf.trainable_variables() if len(variable.shape) == 2)
    units = sum(shape[1] for shape in kernels)
    return 2 * variables + 3 * 10_000 * units * tf.float32.size  # a layer's sum, its activation, and one in passing


def _clear(logdir: Path) -> None:
    """Removes what a run of ours has written, but for config.json, and nothing else."""
    written = [logdir / "results.json", logdir / "history.json"]
    written += [checkpoints.path_of(logdir, number) for number in checkpoints.numbers_of(logdir)]
    written += (logdir / "checkpoints").glob("epoch-*.npz.unfinished")
    written += [logdir / f"{name}.json.unfinished" for name in ("config", "history", "results")]
    for part in _PARTS:
        written += (logdir / part).glob("epoch-*.tfevents")
        written += (logdir / part).glob("epoch-*.tfevents.unfinished")
        written += (logdir / part / name for name in _PROJECTOR)
    written += [logdir / "pictures" / f"{name}.png" for name in _PICTURES]
    for path in written:
        path.unlink(missing_ok=True)


def _next_to(logdir: Path) -> Path:
    """A folder's name beside the given one that is free."""
    logdir = logdir if logdir.name.strip(".") else logdir.resolve()  # "." and ".." are no names to add to
    paths = (logdir.parent / f"{logdir.name}_{i}" for i in range(2, 10_000))
    return next(path for path in paths if not path.exists())
