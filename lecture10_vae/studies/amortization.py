"""Slide 8: what the gap between ln P(x) and the encoder's bound is made of, for a decoder that stays as it is.

The gap is the divergence KL[Q(z|x) || P(z|x)]. A part stays with the best diagonal Gaussian for each image: the
approximation gap. The rest is the amortization gap (Cremer, Li, Duvenaud 2018), and has causes that can be told apart
by training encoders on, and by looking at the images that they were trained on.
"""

from types import SimpleNamespace

import numpy as np

from lecture10_vae.studies import evidence, gaussians
from lecture10_vae.studies.gaussians import Gaussian
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
    half_width = evidence.reach(posteriors["encoder"].mean)
    log_likelihood, _ = evidence.by_quadrature(session, model, images, half_width)
    bound = {name: gaussians.bounds(session, model, images, posterior) for name, posterior in posteriors.items()}
    own = refit_each(session, model, images, posteriors["encoder"])
    gain = {
        name: np.maximum(gaussians.bounds(session, model, images, each) - bound["encoder"], 0)
        for name, each in own.items()
    }
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
    """An image's own means, stddevs, or both, in the place of the encoder's: Gaussians by name."""
    start = gaussians.start(session, model, images, encoder)
    return {
        "both": gaussians.refit(session, model, images, start),
        "means": gaussians.refit(session, model, images, start, ("mean",)),
        "stddevs": gaussians.refit(session, model, images, encoder, ("stddev",)),
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
