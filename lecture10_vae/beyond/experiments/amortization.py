"""Slide 8: what the gap between ln P(x) and the encoder's bound is made of, for a decoder that stays as it is.

The gap is the divergence KL[Q(z|x) || P(z|x)]. A part stays with the best diagonal Gaussian for each image: the
approximation gap. The rest is the amortization gap (Cremer, Li, Duvenaud 2018), and has causes that can be told apart
by training encoders on, and by looking at the images that they were trained on.

    python lecture10_vae/beyond/experiments/amortization.py

Two minutes a seed, and half a minute more where vae.py has not been trained with it yet.
"""

from types import SimpleNamespace

import numpy as np

from lecture10_vae import vae
from lecture10_vae.beyond.experiments import over_seeds, trained
from lecture10_vae.studies import evidence, gaussians
from lecture10_vae.studies.gaussians import Gaussian
from lecture10_vae.studies.training import train
from lecture10_vae.tf1 import tf, tfd
from lecture10_vae.utils import command_line, mnist, plotting
from lecture10_vae.utils.run import restore

EPOCHS, EPOCHS_AFRESH = 10, 25  # more than the VAE's 15 by 10, or as many as both
WIDE = 400  # units of the wider encoder, which has no weights yet
SHARES = {
    "optimization": "gone after more steps",
    "width": f"gone with {WIDE} units",
    "generalization": "gone on training images",
    "rest": "left with all three",
    "approximation": "the best Gaussian's",
}
REFITTED = {"stddevs": "only its stddevs", "means": "only its means", "both": "both"}


def measure(seed: int) -> dict:
    """What the gap is made of: the encoder trained on, a wider one, train against test images, images refitted."""
    data = mnist.load("train")
    parts = {part: mnist.load(part).first(trained.IMAGES).images for part in ("train", "test")}
    folder = trained.vae_folder(seed)
    with tf.Graph().as_default(), tf.Session() as session:
        model = vae.build_graph(seed=seed)
        restore(session, folder)
        posteriors = {part: {"encoder": encode(session, model, model.posterior, parts[part])} for part in parts}
        wide = tf.make_template("wide_encoder", vae.make_encoder, hidden_size=WIDE)
        for name, encoder, epochs in (("trained_on", model.encoder, EPOCHS), ("wide", wide, EPOCHS_AFRESH)):
            posterior, optimize = build_training(model, encoder, steps=epochs * (len(data) // 100))
            train(session, optimize, data, epochs, model.images, seed=seed)
            for part, images in parts.items():
                posteriors[part][name] = encode(session, model, posterior, images)
        numbers = {part: measure_part(session, model, images, posteriors[part]) for part, images in parts.items()}
    return {"shares": shares(numbers["train"]["gaps"], numbers["test"]["gaps"]), **numbers}


def build_training(model: SimpleNamespace, encoder, steps: int) -> tuple[tfd.Distribution, tf.Operation]:
    """An encoder's Q(z|x) for the model's images, and a step on its weights alone: the decoder stays.

    The encoder is a template; over so many steps the rate falls from 1e-3 to 0.
    """
    posterior = encoder(model.images)
    code = posterior.sample()
    elbo = model.decoder(code).log_prob(model.images) - tfd.kl_divergence(posterior, model.prior)
    step = tf.Variable(0, trainable=False)
    optimizer = tf.train.AdamOptimizer(tf.train.polynomial_decay(1e-3, step, steps, end_learning_rate=0.0))
    return posterior, optimizer.minimize(-tf.reduce_mean(elbo), step, encoder.trainable_variables)


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
    gain = {
        name: np.maximum(gaussians.bounds(session, model, images, own) - bound["encoder"], 0)
        for name, own in refit_each(session, model, images, posteriors["encoder"]).items()
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
        "optimization_nats": test["encoder_nats"] - test["trained_on_nats"],
        "width_nats": test["trained_on_nats"] - test["wide_nats"],
        "generalization_nats": beyond["test"] - beyond["train"],
        "rest_nats": beyond["train"],
        "approximation_nats": test["best_nats"],
    }


def refit_each(session: tf.Session, model: SimpleNamespace, images: np.ndarray, encoder: Gaussian) -> dict:
    """An image's own means, stddevs, or both, in the place of the encoder's: Gaussians by name."""
    start = gaussians.start(session, model, images, encoder)
    return {
        "both": gaussians.refit(session, model, images, start),
        "means": gaussians.refit(session, model, images, start, ("mean",)),
        "stddevs": gaussians.refit(session, model, images, encoder, ("stddev",)),
    }


def encode(session: tf.Session, model: SimpleNamespace, posterior: tfd.Distribution, images: np.ndarray) -> Gaussian:
    """An encoder's Q(z|x) of images [N, 28, 28]."""
    return Gaussian(*session.run([posterior.mean(), posterior.stddev()], {model.images: images}))


def draw(numbers: dict):
    """The gap on test images from the encoder's down to the best Gaussian's, and what refitting each image gains."""
    with plotting.new_picture(*plotting.SCREEN) as picture:
        upper, lower = picture.subplots(2, 1, sharex=True, height_ratios=[len(SHARES), len(REFITTED)])
        end = 0.0
        for name, label in reversed(SHARES.items()):
            share = numbers["shares"][f"{name}_nats"]
            draw_bar(upper, label, share, plotting.ORANGE if name == "approximation" else plotting.LIGHT_BLUE, end)
            end += share["mean"]
        for name, label in reversed(REFITTED.items()):
            draw_bar(lower, label, numbers["test"]["gained_by_refitting"][f"{name}_nats"], plotting.BLUE)
        upper.set(title="What the encoder's gap is made of", xlim=(0, 1.35 * end))
        lower.set(title="What an image wins by a Q(z) of its own", xlabel="nats per test image")
    return picture


def draw_bar(axes, label: str, spread: dict, color: str, start: float = 0.0) -> None:
    """A bar with its mean and stddev in words."""
    mean, stddev = spread["mean"], spread["stddev"]
    bars = axes.barh([label], [mean], left=start, color=color, xerr=stddev, error_kw={"capsize": 6})
    axes.bar_label(bars, [f" {mean:.2f} ± {stddev:.2f}"], padding=4)


main = over_seeds.command(measure, draw, "amortization")


if __name__ == "__main__":
    command_line.run(main)
