"""Slide 8: what the gap between ln P(x) and the encoder's bound is made of, for a decoder that stays as it is.

The gap is the divergence KL[Q(z|x) || P(z|x)]. A part stays with the best diagonal Gaussian for each image: the
approximation gap. The rest is the amortization gap (Cremer, Li, Duvenaud 2018), and has causes that can be told apart
by training encoders on, and by looking at the images that they were trained on.
"""

from types import SimpleNamespace

import numpy as np
from scipy.stats import norm

from lecture10_vae.studies import evidence
from lecture10_vae.studies.gaps import Gaussian
from lecture10_vae.studies.training import train
from lecture10_vae.tf1 import tf, tfd
from lecture10_vae.utils.mnist import Dataset

EPOCHS, EPOCHS_AFRESH = 10, 25  # more than the VAE's 15 by 10, or as many as both


def measure(
    session: tf.Session, model: SimpleNamespace, wide, data: Dataset, parts: dict[str, np.ndarray], seed: int = 0
) -> dict:
    """What the encoder's gap on test images is made of: "shares" that add up to it, in nats; and each part's numbers.

    Args:
        model: a trained VAE. Its encoder is trained on.
        wide: the template of a wider encoder, which has no weights yet.
        data: to train the encoders on.
        parts: images [N, 28, 28] of the parts "train", out of `data`, and "test".
    """
    encoders = {part: encode(session, model, model.posterior, images) for part, images in parts.items()}
    others = {
        "trained_on": train_encoder(session, model, model.encoder, data, EPOCHS, seed),
        "wide": train_encoder(session, model, wide, data, EPOCHS_AFRESH, seed),
    }
    numbers = {}
    for part, images in parts.items():
        posteriors = {name: encode(session, model, posterior, images) for name, posterior in others.items()}
        numbers[part] = measure_part(session, model, images, {"encoder": encoders[part], **posteriors})
    return {"shares": shares(numbers["train"]["gaps"], numbers["test"]["gaps"]), **numbers}


def measure_part(
    session: tf.Session, model: SimpleNamespace, images: np.ndarray, posteriors: dict[str, Gaussian]
) -> dict:
    """For images [N, 28, 28], means over them, in nats but for the last:

    gaps: ln P(x) - bound of each Q(z|x), the encoder's among them, and of the best Gaussian that was found. That gap is
        from above, so that the amortization gap, the encoder's less that, is from below.
    gained_by_refitting: by how much an image's own means, stddevs or both raise the encoder's bound.
    worst_tenth: the fraction of what both gain that a tenth of the images has.
    """
    log_likelihood = evidence.by_quadrature(session, model, images, evidence.reach(session, model, images))
    bound = {name: bounds(session, model, images, posterior) for name, posterior in posteriors.items()}
    own = refit_each(session, model, images, posteriors["encoder"])
    gain = {name: np.maximum(bounds(session, model, images, each) - bound["encoder"], 0) for name, each in own.items()}
    bound["best"] = bound["encoder"] + gain["both"]
    return {
        "gaps": {f"{name}_nats": (log_likelihood - value).mean() for name, value in bound.items()},
        "gained_by_refitting": {f"{name}_nats": value.mean() for name, value in gain.items()},
        "worst_tenth": concentration(gain["both"]),
    }


def concentration(values: np.ndarray, fraction: float = 0.1) -> float:
    """The part of the sum of values [N] that the largest ones have, so many of them."""
    return np.sort(values)[-round(fraction * len(values)) :].sum() / values.sum()


def shares(train: dict[str, float], test: dict[str, float]) -> dict[str, float]:
    """What the gap on test images, in nats, is made of; the sum is the gap, since what is taken off is added next.

    Other orders have other shares: those of optimization and width depend on which is mended first.
    """
    beyond = {part: gaps["wide_nats"] - gaps["best_nats"] for part, gaps in (("train", train), ("test", test))}
    return {
        "optimization_nats": test["encoder_nats"] - test["trained_on_nats"],  # gone after more steps
        "width_nats": test["trained_on_nats"] - test["wide_nats"],  # gone with more units
        "generalization_nats": beyond["test"] - beyond["train"],  # not there on the images of training
        "rest_nats": beyond["train"],  # what the wider encoder leaves there
        "approximation_nats": test["best_nats"],  # what no diagonal Gaussian avoids
    }


def refit_each(session: tf.Session, model: SimpleNamespace, images: np.ndarray, encoder: Gaussian) -> dict:
    """An image's own means, stddevs, or both, in the place of the encoder's: Gaussians by name.

    Means start at the highest ln P(x,z) on a grid of codes: from the encoder's some would climb the lower of two humps.
    """
    codes, _ = evidence.code_grid(81, evidence.reach(session, model, images))
    highest = evidence.log_joint(images, *evidence.decode(session, model, codes)).argmax(axis=1)
    start = Gaussian(codes[highest].astype(np.float64), encoder.stddev)
    return {
        "both": refit(session, model, images, start),
        "means": refit(session, model, images, start, ("mean",)),
        "stddevs": refit(session, model, images, encoder, ("stddev",)),
    }


def train_encoder(session: tf.Session, model: SimpleNamespace, encoder, data: Dataset, epochs: int, seed=0):
    """Trains an encoder for the model's decoder, which stays, at a rate that falls from 1e-3 to 0; from where it is.

    Returns:
        Its Q(z|x) for the images fed to `model.images`.
    """
    posterior = encoder(model.images)
    code = posterior.sample(seed=model.noise_seed)
    elbo = model.decoder(code).log_prob(model.images) - tfd.kl_divergence(posterior, model.prior)
    first, steps = session.run(model.step), epochs * -(-len(data.labels) // 100)
    rate = tf.train.polynomial_decay(1e-3, model.step - first, steps, end_learning_rate=0.0)
    optimizer = tf.train.AdamOptimizer(rate)
    optimize = optimizer.minimize(-tf.reduce_mean(elbo), model.step, encoder.trainable_variables)
    train(session, optimize, data, epochs, model.images, seed=seed)
    return posterior


def encode(session: tf.Session, model: SimpleNamespace, posterior: tfd.Distribution, images: np.ndarray) -> Gaussian:
    """An encoder's Q(z|x) of images [N, 28, 28]."""
    return Gaussian(*session.run([posterior.mean(), posterior.stddev()], {model.images: images}))


def gauss_hermite(points: int) -> tuple[np.ndarray, np.ndarray]:
    """Nodes [points ** 2, 2] and weights [points ** 2] of an expectation under N(0, I) in the plane.

    Exact where what is averaged is a polynomial of a degree below 2 * points in each dimension.
    """
    nodes, weights = np.polynomial.hermite_e.hermegauss(points)
    weights = weights / weights.sum()
    return np.stack(np.meshgrid(nodes, nodes), axis=-1).reshape(-1, 2), np.outer(weights, weights).ravel()


def log_joint(session: tf.Session, model: SimpleNamespace, images: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """ln P(x,z) in nats, [K, N], of images [N, 28, 28] with K codes each, [K, N, 2], whose prior is N(0, I)."""
    feeds = ({model.images: images, model.code: code} for code in codes)
    return np.array([session.run(model.reconstruction, feed) for feed in feeds]) + norm.logpdf(codes).sum(axis=-1)


def bounds(session, model, images: np.ndarray, posterior: Gaussian, points: int = 8) -> np.ndarray:
    """The bound of each image, [N] in nats, by Gauss-Hermite quadrature."""
    nodes, weights = gauss_hermite(points)
    codes = posterior.mean + posterior.stddev * nodes[:, np.newaxis]
    return weights @ log_joint(session, model, images, codes) + entropy(posterior.stddev)


def entropy(stddev: np.ndarray) -> np.ndarray:
    """Of diagonal Gaussians with stddevs [N, D], in nats: [N]."""
    return (np.log(stddev) + (1 + np.log(2 * np.pi)) / 2).sum(axis=1)


def refit(
    session: tf.Session,
    model: SimpleNamespace,
    images: np.ndarray,
    start: Gaussian,
    parts: tuple[str, ...] = ("mean", "stddev"),
    steps: int = 10,
    rate: float = 0.5,
) -> Gaussian:
    """Raises the bound of each image by steps on its Gaussian's means, stddevs or both; keeps the best on the way.

    At a maximum of the bound E[d ln P(x,z)/dz] = 0 and E[d^2 ln P(x,z)/dz^2] = -1 / stddev^2 (Opper, Archambeau 2009);
    each step goes a part of the way there. Both expectations follow from values of ln P(x,z) alone, as for a Gaussian
    E[f'] = E[f eps] / stddev, E[f''] = E[f (eps^2 - 1)] / stddev^2 with eps = (z - mean) / stddev.
    """
    nodes, weights = gauss_hermite(4)
    mean, stddev = start
    best, best_bound = Gaussian(*map(np.copy, start)), np.full(len(images), -np.inf)
    for _ in range(steps):
        values = log_joint(session, model, images, mean + stddev * nodes[:, np.newaxis])
        bound = weights @ values + entropy(stddev)
        better = bound > best_bound
        best_bound[better], best.mean[better], best.stddev[better] = bound[better], mean[better], stddev[better]
        values = weights[:, np.newaxis] * (values - values.mean(axis=0))
        slope = np.einsum("kn,kd->nd", values, nodes) / stddev
        curvature = np.einsum("kn,kd->nd", values, nodes**2 - 1) / stddev**2
        if "stddev" in parts:
            precision = (1 - rate) / stddev**2 - rate * curvature
            stddev = 1 / np.sqrt(np.maximum(precision, 0.5 / stddev**2))
        if "mean" in parts:
            mean = mean + rate * stddev**2 * slope
    return best
