"""Whether predictions are right as often as their probabilities say."""

from typing import NamedTuple

import numpy as np


class Reliability(NamedTuple):
    """Predictions by the probability of their answer, in bins of equal width; all [bins], NaN where a bin is empty."""

    confidence: np.ndarray  # mean probability of the answers
    accuracy: np.ndarray  # fraction of right answers
    count: np.ndarray


def reliability(probabilities: np.ndarray, labels: np.ndarray, bins: int = 15) -> Reliability:
    """Bins the most probable answers of predictions [N, classes] and compares them with labels [N]."""
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    which = np.minimum((confidence * bins).astype(int), bins - 1)
    count = np.bincount(which, minlength=bins)
    per_bin = np.where(count > 0, count, np.nan)
    return Reliability(
        np.bincount(which, confidence, minlength=bins) / per_bin,
        np.bincount(which, right, minlength=bins) / per_bin,
        count,
    )


def expected_calibration_error(probabilities: np.ndarray, labels: np.ndarray, bins: int = 15) -> float:
    """The gap between confidence and accuracy, averaged over predictions (Guo et al. 2017, equation 3)."""
    confidence, accuracy, count = reliability(probabilities, labels, bins)
    return float(np.nansum(count * np.abs(accuracy - confidence)) / count.sum())
