"""How much the gradient of a Bayesian network's log probability varies over draws of its weights."""

from collections.abc import Iterable

import numpy as np

from lecture10_vae.tf1 import tf


def measure(
    session: tf.Session, gradients: dict[str, tf.Tensor], feed: dict, noise_seed: tf.Tensor, draws: int = 50
) -> dict[str, dict]:
    """The variances over draws of the gradients by all weights' means, and by all stddevs, each summed up.

    Args:
        gradients: for each way to draw the weights, by all means and then by all stddevs, [2W].
        feed: a mini-batch.

    Returns:
        For the network "trained", as it is, and "untrained", as which it stays: for each way by_means_variance and
        by_stddevs_variance.
    """
    numbers = {}
    for state in ("trained", "untrained"):
        if state == "untrained":
            session.run(tf.global_variables_initializer())
        numbers[state] = {}
        for draw, gradient in gradients.items():
            each = (session.run(gradient, feed | {noise_seed: [number, -1]}) for number in range(draws))
            by_means, by_stddevs = np.split(variances(each), 2)
            numbers[state][draw] = {"by_means_variance": by_means.sum(), "by_stddevs_variance": by_stddevs.sum()}
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
