"""vae.py's trained model for a seed: trained once, for all experiments that look at it."""

from pathlib import Path

from lecture10_vae import vae
from lecture10_vae.utils.command_line import UserError

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
