"""Slides 13-16: what a distribution's shapes, `log_prob` and `kl_divergence` are, each seen another way.

Everything is made of a mean and stddev, in a graph of its own; tables are rows of text.
"""

from lecture10_vae.tf1 import tf, tfd

import numpy as np


def shape_table(mean: np.ndarray, stddev: np.ndarray) -> list[list[str]]:
    """For three ways to say "ten Gaussians an image", mean and stddev [N, 10]: the shapes of all that they give."""
    with tf.Graph().as_default(), tf.Session() as session:
        normal, standard = tfd.Normal(mean, stddev), tfd.Normal(tf.zeros_like(mean), 1.0)
        pairs = {
            "MultivariateNormalDiag": (
                tfd.MultivariateNormalDiag(mean, stddev),
                tfd.MultivariateNormalDiag(tf.zeros_like(mean), tf.ones_like(stddev)),
            ),
            "Normal": (normal, standard),
            "Independent(Normal, 1)": (tfd.Independent(normal, 1), tfd.Independent(standard, 1)),
        }
        rows = [["", "batch_shape", "event_shape", "sample()", "sample(5)", "log_prob(sample(5))", "kl_divergence"]]
        for name, (dist, other) in pairs.items():
            samples = dist.sample(5)
            values = session.run([dist.sample(), samples, dist.log_prob(samples), tfd.kl_divergence(dist, other)])
            shapes = [dist.batch_shape.as_list(), dist.event_shape.as_list(), *(list(value.shape) for value in values)]
            rows.append([name, *map(str, shapes)])
    return rows


def written_out_log_prob(samples: np.ndarray, mean: np.ndarray, stddev: np.ndarray) -> np.ndarray:
    """ln N(samples; mean, stddev^2), by hand: summed over the event's ten numbers, which is the last axis."""
    return -0.5 * (((samples - mean) / stddev) ** 2 + np.log(2 * np.pi * stddev**2)).sum(axis=-1)


def log_prob_table(log_prob: np.ndarray, by_hand: np.ndarray) -> list[list[str]]:
    """Two ways to `log_prob`, [N] each in nats, side by side for the first five images."""
    rows = [[str(i), f"{a:.5f}", f"{b:.5f}"] for i, (a, b) in enumerate(zip(log_prob, by_hand, strict=True))]
    return [["image", "log_prob", "the density, written out"], *rows[:5]]


def monte_carlo_kl(mean: np.ndarray, stddev: np.ndarray, samples: int = 1_000_000, seed: int = 0) -> tuple:
    """KL[dist || N(0, I)] of a mean and stddev [10], as the mean of the log ratio of samples of dist.

    Returns:
        counts: 10, 100, ... up to `samples`.
        means, standard_errors: over the first so many samples, in nats.
    """
    with tf.Graph().as_default(), tf.Session() as session:
        tf.set_random_seed(seed)
        dist, other = tfd.MultivariateNormalDiag(mean, stddev), tfd.MultivariateNormalDiag(tf.zeros_like(mean))
        many = dist.sample(samples)
        log_ratio = session.run(dist.log_prob(many) - other.log_prob(many))
    counts = 10 ** np.arange(1, int(np.log10(samples)) + 1)
    means = np.array([log_ratio[:count].mean(dtype=np.float64) for count in counts])
    errors = np.array([log_ratio[:count].std(ddof=1, dtype=np.float64) / np.sqrt(count) for count in counts])
    return counts, means, errors


def kl_table(kl: float, counts: np.ndarray, means: np.ndarray, errors: np.ndarray) -> list[list[str]]:
    """The divergence by more and more samples, in nats, and how many standard errors each estimate is off."""
    rows = [["samples", "mean log ratio", "standard error", "off by"]]
    for count, estimate, error in zip(counts, means, errors, strict=True):
        rows.append([f"{count:,}", f"{estimate:.5f}", f"{error:.5f}", f"{(estimate - kl) / error:+.1f} errors"])
    return rows


def print_table(rows: list[list[str]]) -> None:
    """Prints rows of text in columns as wide as they need to be."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        print("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip())
    print()
