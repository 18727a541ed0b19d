"""A trained model to use, from the folder of its run.

    from lecture10_vae.load_run import load_run

    session, model = load_run("runs/vae")
    codes = session.run(model.mean, {model.images: images})

The notes' section "Use a trained model" shows more.
"""

import importlib
import inspect
from pathlib import Path
from types import SimpleNamespace

from lecture10_vae.tf1 import tf
from lecture10_vae.utils import checkpoints, sources
from lecture10_vae.utils.command_line import UserError
from lecture10_vae.utils.run import read_config

HERE = Path(__file__).parent


def load_run(logdir: Path | str = "runs/vae", epoch: int | None = None) -> tuple[tf.Session, SimpleNamespace]:
    """The model that a script has trained, in a graph and a session of its own.

    Args:
        logdir: the run's folder.
        epoch: the weights as they were after it; the newest if not given.

    Returns:
        session: its weights are the run's. `session.graph.as_default()` lets more be built on the model.
        model: what the script's `build_graph` returned.

    Raises:
        UserError: the folder holds no such run or epoch, or the script's source has changed since.
    """
    logdir = Path(logdir).expanduser()
    config = read_config(logdir)
    script = config and _find(f"{config['script']}.py")
    if script is None:
        raise UserError(f"{logdir} holds no run of a script of the lecture: train one, or give another folder.")
    if change := change_of_source(config):
        raise UserError(f"{logdir} holds a run of other code: {change}. Train it anew, in another folder.")
    saved = checkpoints.read_newest(logdir) if epoch is None else checkpoints.read(logdir, epoch)
    if saved is None:
        raise UserError(f"{logdir} holds no {'epoch' if epoch is None else f'epoch {epoch}'} that can be read.")
    place = script.relative_to(HERE).with_suffix("").parts
    build_graph = importlib.import_module(".".join(["lecture10_vae", *place])).build_graph
    arguments = {name: config[name] for name in inspect.signature(build_graph).parameters if name in config}
    with tf.Graph().as_default() as graph:
        model = build_graph(**arguments)
    session = tf.Session(graph=graph)
    checkpoints.load(session, saved)
    return session, model


def change_of_source(config: dict) -> str:
    """What has changed of the source since the run with that configuration was trained; empty if nothing has."""
    files = {place.rpartition(" ")[2] for place in config["source"]}
    now = sources.digests(*filter(None, map(_find, sorted(files))))
    return sources.describe_change({"source": config["source"]}, {"source": now})


def _find(file: str) -> Path | None:
    """A script's file, among the lecture's, beyond them, or of a study that trains; None if there is none."""
    places = (HERE / folder / file for folder in (".", "beyond", "studies"))
    return next((path for path in places if path.exists()), None)
