"""Slides 27-29: what the Bayesian layer's doubt is about, how it grows in training, and what an ensemble doubts.

Some pixels have no ink on any training digit. No label tells of their weights, so that the divergence alone moves
them to the prior, at the optimizer's pace and not by what was seen. Noise everywhere puts ink on such pixels, noise
where digits have ink does not. The baseline is a handful of point estimates that differ in their seeds (an ensemble,
Lakshminarayanan, Pritzel, Blundell 2017); their weights of blank pixels stay where they started.
"""

import numpy as np
from scipy.special import softmax

from lecture10_vae.studies import uncertainty

EPOCHS = (1, 3, 10, 15, 30)
INKED = 0.05  # of the training digits: a pixel counts as inked if more of them have ink there


def share_of_ink(images: np.ndarray) -> np.ndarray:
    """For each pixel, how many of the images [N, 28, 28] have ink there: a fraction, [28, 28]."""
    return (images > 0).mean(axis=0)


def make_noise(share: np.ndarray, count: int = 2_000, seed: int = 0) -> dict[str, np.ndarray]:
    """Uniform noise: everywhere, where digits have ink, and where none has; [count, 28, 28] each, else empty.

    Args:
        share: of the training digits that have ink at each pixel, [28, 28].
        seed: of the noise.
    """
    noise = np.random.default_rng(seed).random((count, 28, 28), np.float32)
    return {
        "noise": noise,
        "noise_on_inked": np.where(share > INKED, noise, 0),
        "noise_on_blank": np.where(share == 0, noise, 0),
    }


def blank_stddev(stddev: np.ndarray, share: np.ndarray) -> float:
    """Of weights' stddevs [784, 10] or [785, 10], the mean of those whose pixel has no ink on any training digit."""
    return float(stddev[:784][share.reshape(784) == 0].mean())


def predict_each(images: np.ndarray, kernels: np.ndarray, biases: np.ndarray) -> np.ndarray:
    """P(label|image) for images [N, 28, 28] by each member of an ensemble of layers: [members, N, 10].

    Args:
        kernels, biases: the members' weights, [members, 784, 10] and [members, 10].
    """
    return softmax(images.reshape(len(images), 784) @ kernels + biases[:, np.newaxis], axis=2)


def measure(
    predict: uncertainty.Predictor, images: np.ndarray, labels: np.ndarray, noise: dict[str, np.ndarray]
) -> dict[str, object]:
    """A predictor's scores on digits, and its doubt on those and on noise.

    Args:
        images, labels: digits that it was not trained on, [N, 28, 28] and [N].
        noise: images of each kind.

    Returns:
        What `uncertainty.score` says; for the digits and each kind of noise, what `uncertainty.on_unfamiliar` says.
    """
    familiar = predict(images)
    doubts = uncertainty.on_unfamiliar(predict, familiar, noise)
    return uncertainty.score(familiar, labels) | {"digits": doubts.pop("test digits")} | doubts
