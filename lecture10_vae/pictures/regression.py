"""regression.py's picture: outputs of sure and of doubtful digits."""

from pathlib import Path

import numpy as np

from lecture10_vae.pictures.classification import draw_outputs
from lecture10_vae.utils import plotting
from lecture10_vae.utils.mnist import Dataset


def draw(mean: np.ndarray, stddev: np.ndarray, test: Dataset, folder: Path) -> None:
    """outputs.png: the six test digits whose largest output stands out most from the next, and the six of least.

    Args:
        mean, stddev: of the Gaussian over the ten outputs, for each test image, [N, 10].
    """
    ordered = np.sort(mean, axis=1)
    by_doubt = np.argsort(ordered[:, -2] - ordered[:, -1])
    chosen = np.concatenate([by_doubt[:6], by_doubt[-6:]])
    picture = draw_outputs(
        *(array[chosen] for array in (test.images, test.labels, mean, stddev)),
        name="output",
        title="Ten outputs and their stddev: six sure test digits, and six doubtful ones",
    )
    plotting.save(picture, folder / "outputs.png")
