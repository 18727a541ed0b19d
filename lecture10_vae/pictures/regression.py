"""regression.py's picture: outputs of sure and of doubtful digits."""

from pathlib import Path

from lecture10_vae.pictures.classification import draw_outputs
from lecture10_vae.utils import plotting
from lecture10_vae.utils.mnist import Dataset

import numpy as np


def draw(mean: np.ndarray, stddev: np.ndarray, test: Dataset, folder: Path) -> None:
    """outputs.png: the six test digits whose largest output stands out most from the next, and the six of least.

    Those that stand out most have outputs far above their label, which is 1: the title says how far.

    Args:
        mean, stddev: of the Gaussian over the ten outputs, for each test image, [N, 10].
    """
    ordered = np.sort(mean, axis=1)
    by_doubt = np.argsort(ordered[:, -2] - ordered[:, -1])
    chosen = np.concatenate([by_doubt[:6], by_doubt[-6:]])
    largest = ordered[:, -1]
    title = (
        f"The largest outputs, for labels of 1, go from {largest.min():.1f} to {largest.max():.1f}: above, six digits\n"
        "whose largest is farthest ahead of the next; below, six where it is least"
    )
    picture = draw_outputs(
        *(array[chosen] for array in (test.images, test.labels, mean, stddev)), name="output", title=title
    )
    plotting.save(picture, folder / "outputs.png")
