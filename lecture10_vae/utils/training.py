"""What the session loops share: the run folder with its configuration, checkpoints, curves and results."""

import json
import os
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from importlib import metadata
from pathlib import Path

import filelock
from tqdm import tqdm

from lecture10_vae.tf1 import tf
from lecture10_vae.utils.command_line import UserError

BATCHES_PER_RUN = 100  # mini-batches a session.run: enough to make its cost small, and to see the progress bar move

_PACKAGES = ["tensorflow", "tensorflow-probability", "numpy", "scipy", "matplotlib"]

# All that a run writes in its folder, and so all that --fresh removes there.
_WRITTEN = ["config.json", "history.json", "results.json", "checkpoints", "figures", "train", "test", "graph", "walk"]


class Run:
    """One training run and its folder.

        with tf.Session() as session, Run("vae", logdir, config) as run:
            for epoch in run.epochs(session, 15, len(train.pixels)):
                if epoch > 0:  # epoch 0 is the untrained model
                    for batch in run.progress(batches):
                        session.run(optimize, ...)
                run.write("test", epoch, figures)
                run.save(session, epoch)

    A run that was stopped, in whatever way, goes on after the last epoch that it saved.

    Args:
        script: the name of the script whose run it is.
        logdir: the run's folder; made if there is none.
        config: all that the trained weights depend on, but for the number of epochs. Kept in config.json.
        fresh: begin anew, removing what an earlier run has written in the folder.

    Raises:
        UserError: the folder holds another configuration's run, or something else, or is in use.
    """

    def __init__(self, script: str, logdir: Path, config: dict, fresh: bool = False):
        self.logdir = Path(logdir)
        self.config = {"script": script, **config}
        self._config_file = self.logdir / "config.json"
        self._history_file = self.logdir / "history.json"
        self.figures_dir = self.logdir / "figures"
        self.logdir.mkdir(parents=True, exist_ok=True)
        self._lock = filelock.FileLock(self.logdir / ".lock")
        self._acquire_lock()
        try:
            self._check_config(fresh)
            self.figures_dir.mkdir(exist_ok=True)
            _write_json(self._config_file, self.config)
        except BaseException:
            self._lock.release()
            raise
        self._history = []
        self._figures = {}
        self._writers = {}
        self._first_step = 0
        self._bar = None

    def __enter__(self) -> "Run":
        return self

    def __exit__(self, *exception) -> None:
        if self._bar is not None:
            self._bar.close()
        for writer in self._writers.values():  # their threads must not outlive the interpreter
            writer.close()
        self._lock.release()

    def epochs(self, session: tf.Session, epochs: int, images_per_epoch: int) -> Iterator[int]:
        """Yields the epochs that are still to do: 0, the untrained model, to `epochs`, the last.

        Starts the session's variables, from the last checkpoint if there is one.
        """
        done = self._last_saved_epoch()
        if done > epochs:
            raise UserError(
                f"{self.logdir} has been trained for {done} epochs, --epochs {epochs} is fewer: "
                "choose another --logdir, or --fresh to begin anew."
            )
        self._first_step = done + 1
        if done < 0:
            self.writer("train").add_graph(session.graph)  # before the saver and the initializer are in it
            session.run(tf.global_variables_initializer())
        self._saver = tf.train.Saver(max_to_keep=None)
        if done >= 0:
            self.restore(session, done)
            self._history = self._read_history()[: done + 1]
            print(f"{self.logdir}: {'nothing left to train' if done == epochs else 'going on'} after epoch {done}.")
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

    def progress(self, batches: Iterable) -> Iterator:
        """Yields the mini-batches and moves the progress bar on by the images in each."""
        for batch in batches:
            yield batch
            self._bar.update(len(batch[0]))

    def writer(self, part: str) -> tf.summary.FileWriter:
        """The writer of TensorBoard's events for a part of the data, or of the run."""
        if part not in self._writers:
            self._writers[part] = tf.summary.FileWriter(str(self.logdir / part))
            # TensorBoard then drops what an earlier or a killed run wrote past this step.
            self._writers[part].add_session_log(tf.SessionLog(status=tf.SessionLog.START), self._first_step)
        return self._writers[part]

    def write(self, part: str, epoch: int, figures: dict[str, float], summary: bytes | None = None) -> None:
        """Adds an epoch to the curves of a part of the data.

        Args:
            part: "train" or "test", which share TensorBoard's plots.
            figures: names and numbers; those written last make the epoch's line on the screen.
            summary: what else `tf.summary` made.
        """
        scalars = [tf.Summary.Value(tag=name, simple_value=value) for name, value in figures.items()]
        self.writer(part).add_summary(tf.Summary(value=scalars), epoch)
        if summary:
            self.writer(part).add_summary(summary, epoch)
        self._figures[part] = figures

    def save(self, session: tf.Session, epoch: int) -> None:
        """Keeps an epoch: its curves, its line on the screen, and a checkpoint of its weights."""
        for writer in self._writers.values():
            writer.flush()
        seconds = round(time.perf_counter() - self._epoch_started, 3)
        self._history.append({"epoch": epoch, "seconds": seconds, **self._figures})
        _write_json(self._history_file, self._history)
        checkpoint = self.logdir / "checkpoints" / "epoch"
        try:
            self._saver.save(session, str(checkpoint), global_step=epoch, write_meta_graph=False)
        except tf.errors.OpError as error:
            raise UserError(f"{checkpoint}-{epoch} cannot be written: {_first_line(error)}") from error
        *_, figures = self._figures.values()
        shown = "".join(f"  {name} {value:8.{4 if abs(value) <= 1 else 2}f}" for name, value in figures.items())
        tqdm.write(f"Epoch {epoch:3d}{shown}  {seconds:5.1f} s")

    def restore(self, session: tf.Session, epoch: int) -> None:
        """Loads the weights as they were after `epoch`."""
        checkpoint = self.logdir / "checkpoints" / f"epoch-{epoch}"
        try:
            self._saver.restore(session, str(checkpoint))
        except (tf.errors.OpError, ValueError) as error:
            raise UserError(
                f"{checkpoint} cannot be read ({_first_line(error)}): "
                "choose another --logdir, or --fresh to begin anew."
            ) from error

    def finish(self, **results) -> dict:
        """Writes results.json: `results`, the configuration, the seconds of training, and the versions it ran on."""
        results |= self.config
        if self._history:
            results["epochs"] = self._history[-1]["epoch"]
            results["seconds"] = round(sum(epoch["seconds"] for epoch in self._history), 1)
        results["versions"] = {package: metadata.version(package) for package in _PACKAGES}
        _write_json(self.logdir / "results.json", results)
        print(f"Pictures are in {self.figures_dir}, numbers in {self.logdir / 'results.json'}.")
        return results

    def _acquire_lock(self) -> None:
        try:
            self._lock.acquire(blocking=False)
        except filelock.Timeout as error:
            raise UserError(f"{self.logdir} is in use by another process: wait, or choose another --logdir.") from error

    def _check_config(self, fresh: bool) -> None:
        if not self._config_file.exists():
            if any((self.logdir / name).exists() for name in _WRITTEN):
                raise UserError(f"{self.logdir} holds files but no run (no config.json): choose another --logdir.")
            return
        if fresh:
            for name in _WRITTEN:
                path = self.logdir / name
                shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
            return
        try:
            earlier = json.loads(self._config_file.read_text())
        except ValueError as error:
            raise UserError(f"{self._config_file} is damaged: choose another --logdir, or --fresh.") from error
        differences = [
            f"{name} was {earlier.get(name)}, now {self.config.get(name)}"
            for name in self.config | earlier
            if earlier.get(name) != self.config.get(name)
        ]
        if differences:
            raise UserError(
                f"{self.logdir} holds another run ({'; '.join(differences)}): "
                "choose another --logdir, or --fresh to replace it."
            )

    def _read_history(self) -> list[dict]:
        try:
            return json.loads(self._history_file.read_text())
        except (OSError, ValueError) as error:
            raise UserError(
                f"{self._history_file}, the curves of the epochs trained, is missing or damaged: "
                "choose another --logdir, or --fresh to begin anew."
            ) from error

    def _last_saved_epoch(self) -> int:
        """The epoch of the last full checkpoint; -1 if there is none."""
        latest = tf.train.latest_checkpoint(str(self.logdir / "checkpoints"))
        return int(latest.rpartition("-")[2]) if latest else -1


def each_batch(optimize: Callable[..., tf.Operation], batch_size: int, *arrays: tf.Tensor) -> tf.Operation:
    """One operation that calls `optimize` on mini-batch after mini-batch of the arrays fed to a single session.run.

    XLA compiles the loop, and with it the network, its gradients and the optimizer, into one program. For
    small networks, most of the time goes to Python and TensorFlow's scheduler; they then have their say but once.

    Args:
        optimize: from mini-batches of the arrays to a gradient step. It may use, but not create, variables.
        batch_size: how many rows of the first array make a mini-batch; fed fewer rows, they are one mini-batch.
        arrays: tensors or placeholders, each cut along its first axis into as many parts as there are mini-batches.
            The first has a multiple of `batch_size` rows, or fewer.
    """

    @tf.function(jit_compile=True, autograph=False)
    def loop(*arrays):
        count = tf.maximum(tf.shape(arrays[0])[0] // batch_size, 1)
        parts = [tf.reshape(array, tf.concat([[count, -1], tf.shape(array)[1:]], axis=0)) for array in arrays]

        def step(i):
            batch = [tf.ensure_shape(part[i], array.shape) for part, array in zip(parts, arrays, strict=True)]
            with tf.control_dependencies([optimize(*batch)]):
                return i + 1

        return tf.while_loop(lambda i: i < count, step, [0])

    return loop(*arrays).op


def _write_json(path: Path, content: object) -> None:
    """Writes the file whole or not at all, so that a kill never leaves half of one."""
    unfinished = path.with_suffix(".unfinished")
    unfinished.write_text(json.dumps(content, indent=2, default=float) + "\n")
    os.replace(unfinished, path)


def _first_line(error: Exception) -> str:
    return str(getattr(error, "message", error)).strip().splitlines()[0]
