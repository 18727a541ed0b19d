"""vae.py's trained model for a seed: trained once, for all experiments that look at it."""

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

from lecture10_vae import vae
from lecture10_vae.tf1 import tf
from lecture10_vae.utils.command_line import UserError
from lecture10_vae.utils.run import restore

EPOCHS = (0, 1, 5, 10, 15)  # slide 26's
IMAGES = 2_000  # the first of the test images, and of the training images, where an experiment takes so many


def vae_folder(seed: int) -> Path:
    """The folder of vae.py's run with this seed, whose weights after each epoch are there; trained if it is not.

    Raises UserError if it was stopped.
    """
    folder = Path(f"runs/experiments/vae_seed_{seed}")
    if not folder.exists():
        vae.main(seed=seed, logdir=folder)
    elif not (folder / "results.json").exists():
        raise UserError(f"{folder} holds a run that was stopped: delete it, so that it is trained anew.")
    return folder


def by_epoch(seed: int) -> Iterator[tuple[tf.Session, SimpleNamespace]]:
    """The model of this seed in a session, with its weights after each of EPOCHS."""
    folder = vae_folder(seed)
    with tf.Graph().as_default(), tf.Session() as session:
        model = vae.build_graph(seed=seed)
        for epoch in EPOCHS:
            restore(session, folder, epoch)
            yield session, model
