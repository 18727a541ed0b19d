"""Slides 27-29: how many weights of the Bayesian layer can go, and which, beside those of a point estimate."""

from collections.abc import Iterable
from types import SimpleNamespace

import numpy as np

from lecture10_vae.studies import uncertainty
from lecture10_vae.tf1 import tf

KEPT = (1.0, 0.5, 0.3, 0.2, 0.1, 0.05, 0.03, 0.02, 0.01)  # fractions of the weights, when the others are pruned


def measure(
    session: tf.Session,
    model: SimpleNamespace,
    point: SimpleNamespace,
    pixel_stddev: np.ndarray,
    images: np.ndarray,
    labels: np.ndarray,
) -> dict[str, list[float]]:
    """Accuracy on images with fewer and fewer of the mean weights, and of the point estimate's, chosen in four ways.

    Args:
        pixel_stddev: of each pixel over training images, [28, 28].
    """
    mean, stddev, kernel, kernel_bias = session.run([model.mean, model.stddev, point.kernel, point.bias])
    bias = mean[784] if len(mean) > 784 else session.run(model.network.trainable_variables[2])
    mean, stddev = mean[:784], stddev[:784]
    effect = np.abs(kernel) * pixel_stddev.reshape(784, 1)
    return {
        "kept": list(KEPT),
        "by_signal_to_noise": accuracies(mean, bias, np.abs(mean) / stddev, images, labels),
        "by_mean": accuracies(mean, bias, np.abs(mean), images, labels),
        "point_estimate_by_size": accuracies(kernel, kernel_bias, np.abs(kernel), images, labels),
        "point_estimate_by_effect": accuracies(kernel, kernel_bias, effect, images, labels),
    }


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


def measure_network(
    session: tf.Session,
    model: SimpleNamespace,
    images: np.ndarray,
    labels: np.ndarray,
    kept: Iterable[float],
    draws: int,
) -> dict[str, list[float]]:
    """The error in percent on images of a network with Q(weights) in each layer, with fewer and fewer weights kept.

    Kept are those whose |mean| / stddev is largest, or whose |mean| is; the others' means and stddevs are set to 0.
    Predictions are made by the mean weights, but for `by_signal_to_noise`: averaged over draws of the weights.
    """
    parts = [*(layer.loc for layer in model.posteriors), *(layer.scale for layer in model.posteriors)]
    values = session.run(parts)
    mean, stddev = np.split(np.concatenate([value.ravel() for value in values]), 2)
    cuts = np.cumsum([value.size for value in values])[:-1]

    def pruned(importance, fraction):
        both = np.concatenate([prune(array, importance, fraction) for array in (mean, stddev)])
        arrays = np.split(both, cuts)
        return {part: array.reshape(value.shape) for part, array, value in zip(parts, arrays, values, strict=True)}

    def by_means(importance, fraction):
        feed = pruned(importance, fraction) | {model.images: images}
        return uncertainty.percent_wrong(session.run(model.mean_probability, feed), labels)

    def by_draws(importance, fraction):
        feed = pruned(importance, fraction) | {model.images: images}
        each = [session.run(model.probability, feed | {model.noise_seed: [number, -1]}) for number in range(draws)]
        return uncertainty.percent_wrong(np.mean(each, axis=0), labels)

    ratio, size = np.abs(mean) / stddev, np.abs(mean)
    return {
        "kept": list(kept),
        "by_signal_to_noise": [by_draws(ratio, fraction) for fraction in kept],
        "by_signal_to_noise_mean_weights": [by_means(ratio, fraction) for fraction in kept],
        "by_mean": [by_means(size, fraction) for fraction in kept],
    }


def prune(weights: np.ndarray, importance: np.ndarray, kept: float) -> np.ndarray:
    """The weights with all but a fraction `kept` of them, the most important, set to zero."""
    count = round(kept * weights.size)
    pruned = np.zeros_like(weights)
    most = np.argsort(importance, axis=None, kind="stable")[weights.size - count :]
    pruned.flat[most] = weights.flat[most]
    return pruned
