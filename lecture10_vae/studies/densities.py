"""Slides 13-16: what a distribution's shapes, `log_prob` and `kl_divergence` are, each seen another way."""

from types import SimpleNamespace

import numpy as np

from lecture10_vae.tf1 import tf, tfd


def shape_table(session: tf.Session, model: SimpleNamespace, features: np.ndarray) -> list[list[str]]:
    """For three ways to say "ten Gaussians an image": batch, event, sample, log_prob and KL shapes, as text."""
    standard = tfd.Normal(tf.zeros_like(model.mean), 1.0)
    pairs = {
        "MultivariateNormalDiag": (model.dist, model.other),
        "Normal": (tfd.Normal(model.mean, model.stddev), standard),
        "Independent(Normal, 1)": (
            tfd.Independent(tfd.Normal(model.mean, model.stddev), 1),
            tfd.Independent(standard, 1),
        ),
    }
    rows = [["", "batch_shape", "event_shape", "sample()", "sample(5)", "log_prob(sample(5))", "kl_divergence"]]
    for name, (dist, other) in pairs.items():
        samples = dist.sample(5)
        fetches = [dist.sample(), samples, dist.log_prob(samples), tfd.kl_divergence(dist, other)]
        batch, event = session.run([dist.batch_shape_tensor(), dist.event_shape_tensor()], {model.features: features})
        values = session.run(fetches, {model.features: features})
        shapes = [batch, event, *(value.shape for value in values)]
        rows.append([name, *(str([int(size) for size in shape]) for shape in shapes)])
    return rows


def written_out_log_prob(samples: np.ndarray, mean: np.ndarray, stddev: np.ndarray) -> np.ndarray:
    """ln N(samples; mean, stddev^2), by hand: summed over the event's ten numbers, which is the last axis."""
    return -0.5 * (((samples - mean) / stddev) ** 2 + np.log(2 * np.pi * stddev**2)).sum(axis=-1)


def monte_carlo_kl(session: tf.Session, model: SimpleNamespace, features: np.ndarray, samples=1_000_000, seed=0):
    """KL[dist || other] of one image as the mean of ln dist(s) - ln other(s) over samples s of dist.

    Returns:
        counts: 10, 100, ... up to `samples`.
        means, standard_errors: over the first so many samples, in nats.
    """
    many = model.dist.sample(samples, seed=[seed, 1])
    log_ratio = session.run(model.dist.log_prob(many) - model.other.log_prob(many), {model.features: features})
    counts = 10 ** np.arange(1, int(np.log10(samples)) + 1)
    means = np.array([log_ratio[:count].mean(dtype=np.float64) for count in counts])
    errors = np.array([log_ratio[:count].std(ddof=1, dtype=np.float64) / np.sqrt(count) for count in counts])
    return counts, means, errors
