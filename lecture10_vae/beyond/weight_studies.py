"""What bayes_by_backprop.py measures of a network with Q(weights): its gradients' variance, and how many can go.

A model has `posteriors` of its layers, `images`, `probability` by draws of the weights, and `mean_probability`.
"""

from collections.abc import Iterable
from types import SimpleNamespace

import numpy as np

from lecture10_vae.studies import pruning, uncertainty
from lecture10_vae.tf1 import tf

KEPT = (1.0, 0.5, 0.25, 0.05, 0.02)  # fractions of the weights; table 2 removes the rest


def vary(session: tf.Session, gradients: dict[str, tf.Tensor], feed: dict, draws: int = 50) -> dict[str, dict]:
    """The variances over draws of the gradients by all weights' means, and by all stddevs, each summed up.

    Args:
        gradients: for each way to draw the weights, by all means and then by all stddevs, [2W].
        feed: a mini-batch.

    Returns:
        For each way by_means_variance and by_stddevs_variance.
    """
    numbers = {}
    for way, gradient in gradients.items():
        by_means, by_stddevs = np.split(variances(session.run(gradient, feed) for _ in range(draws)), 2)
        numbers[way] = {"by_means_variance": by_means.sum(), "by_stddevs_variance": by_stddevs.sum()}
    return numbers


def variances(samples: Iterable[np.ndarray]) -> np.ndarray:
    """The variance of each number over samples [size], which are too large to keep: [size]."""
    count, mean, squares = 0, 0.0, 0.0
    for sample in samples:  # Welford's way, which subtracts no large numbers
        count += 1
        deviation = sample - mean
        mean = mean + deviation / count
        squares = squares + deviation * (sample - mean)
    return squares / (count - 1)


def prune(
    session: tf.Session,
    model: SimpleNamespace,
    images: np.ndarray,
    labels: np.ndarray,
    draws: int,
    kept: Iterable[float] = KEPT,
) -> dict[str, list[float]]:
    """The error in percent on images [N, 28, 28] with fewer and fewer weights kept in all layers together.

    Kept are those whose |mean| / stddev is largest, or whose |mean| is; the others' means and stddevs are set to 0.
    Predictions are made by the mean weights, but for `by_signal_to_noise`: averaged over draws of the weights.
    """
    parts = [*(layer.loc for layer in model.posteriors), *(layer.scale for layer in model.posteriors)]
    values = session.run(parts)
    mean, stddev = np.split(np.concatenate([value.ravel() for value in values]), 2)
    cuts = np.cumsum([value.size for value in values])[:-1]

    def error(importance, fraction, probability, draws=1):
        both = np.concatenate([pruning.prune(array, importance, fraction) for array in (mean, stddev)])
        arrays = zip(parts, values, np.split(both, cuts), strict=True)
        feed = {part: array.reshape(value.shape) for part, value, array in arrays} | {model.images: images}
        each = [session.run(probability, feed) for _ in range(draws)]
        return uncertainty.percent_wrong(np.mean(each, axis=0), labels)

    ratio, size = np.abs(mean) / stddev, np.abs(mean)
    return {
        "kept": list(kept),
        "by_signal_to_noise": [error(ratio, fraction, model.probability, draws) for fraction in kept],
        "by_signal_to_noise_mean_weights": [error(ratio, fraction, model.mean_probability) for fraction in kept],
        "by_mean": [error(size, fraction, model.mean_probability) for fraction in kept],
    }
