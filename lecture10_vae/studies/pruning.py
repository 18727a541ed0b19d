"""Slides 27-29: how many weights of a layer can go, and which."""

from collections.abc import Iterable

import numpy as np

KEPT = (1.0, 0.5, 0.3, 0.2, 0.1, 0.05, 0.03, 0.02, 0.01)  # fractions of the weights, when the others are pruned


def accuracies(
    weights: np.ndarray,
    bias: np.ndarray,
    importance: np.ndarray,
    images: np.ndarray,
    labels: np.ndarray,
    kept: Iterable[float] = KEPT,
) -> list[float]:
    """Accuracy of one layer, weights [784, classes] and bias [classes], with fewer and fewer of its weights kept.

    The most important are kept, by `importance` [784, classes]; images are [N, 28, 28], labels [N].
    """
    pixels = images.reshape(len(images), -1)
    logits = (pixels @ prune(weights, importance, fraction) + bias for fraction in kept)
    return [np.mean(logit.argmax(axis=1) == labels) for logit in logits]


def prune(weights: np.ndarray, importance: np.ndarray, kept: float) -> np.ndarray:
    """The weights with all but a fraction `kept` of them, the most important, set to zero."""
    count = round(kept * weights.size)
    pruned = np.zeros_like(weights)
    most = np.argsort(importance, axis=None, kind="stable")[weights.size - count :]
    pruned.flat[most] = weights.flat[most]
    return pruned
