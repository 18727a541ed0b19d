"""An epoch of a run in one file, checkpoints/epoch-<n>.npz: weights by name, configuration, and history so far."""

import contextlib
import json
import re
import zipfile
import zlib
from pathlib import Path
from typing import NamedTuple

import numpy as np

from lecture10_vae.tf1 import tf
from lecture10_vae.utils.files import written_whole

_UNREADABLE = (OSError, ValueError, KeyError, EOFError, TypeError, zipfile.BadZipFile, zlib.error)


class Epoch(NamedTuple):
    """What a checkpoint holds."""

    number: int
    config: dict
    history: list[dict]
    weights: dict[str, np.ndarray]


def path_of(logdir: Path, number: int) -> Path:
    """The file of an epoch."""
    return logdir / "checkpoints" / f"epoch-{number}.npz"


def numbers_of(logdir: Path) -> list[int]:
    """The epochs that have a file, readable or not, the newest first."""
    names = (re.fullmatch(r"epoch-(0|[1-9][0-9]*)\.npz", path.name) for path in (logdir / "checkpoints").glob("*"))
    return sorted((int(name[1]) for name in names if name), reverse=True)


def write(logdir: Path, epoch: Epoch) -> None:
    """Writes the file of an epoch, whole or not at all."""
    about = np.array(json.dumps({"config": epoch.config, "history": epoch.history}, default=float))
    with written_whole(path_of(logdir, epoch.number)) as file:
        np.savez(file, about=about, **{f"weights/{name}": value for name, value in epoch.weights.items()})


def read(logdir: Path, number: int) -> Epoch | None:
    """An epoch; None if it has no file, or one that cannot be read as a whole."""
    with contextlib.suppress(*_UNREADABLE), np.load(path_of(logdir, number), allow_pickle=False) as file:
        content = {name: file[name] for name in file.files}
        about = json.loads(str(content.pop("about")))
        weights = {name.removeprefix("weights/"): value for name, value in content.items()}
        if about["history"][-1]["epoch"] == number:
            return Epoch(number, about["config"], about["history"], weights)
    return None


def read_newest(logdir: Path, config: dict | None = None) -> Epoch | None:
    """The newest epoch that can be read and is of the configuration, if one is given."""
    epochs = filter(None, (read(logdir, number) for number in numbers_of(logdir)))
    return next((epoch for epoch in epochs if config in (None, epoch.config)), None)


def load(session: tf.Session, epoch: Epoch) -> None:
    """Gives the variables of the session's graph that the epoch has weights for those values."""
    with session.graph.as_default():
        variables = [variable for variable in tf.global_variables() if variable.op.name in epoch.weights]
    # An initializer assigns what is computed from its second input; that can be fed, and no operation is added
    values = {variable.initializer.inputs[1]: epoch.weights[variable.op.name] for variable in variables}
    session.run([variable.initializer for variable in variables], values)
