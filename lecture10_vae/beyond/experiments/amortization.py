"""Slide 8: what the gap between ln P(x) and the encoder's bound is made of, for a decoder that stays as it is.

The gap is the divergence KL[Q(z|x) || P(z|x)]. A part stays with the best diagonal Gaussian for each image: the
approximation gap. The rest is the amortization gap (Cremer, Li, Duvenaud 2018), and has causes that can be told apart
by training encoders on, and by looking at the images that they were trained on.

    .venv/bin/python lecture10_vae/beyond/experiments/amortization.py

Which cause has the largest part depends on the order in which they are taken away, so that a cause's share is its mean
over all orders (Shapley 1953). That takes encoders with and without more steps, each with and without more units, on
images that the training had and on others. All four are trained anew on the decoder as it is; that the VAE's own was
trained along with it is a cause by itself.

Four minutes a seed, and half a minute more where vae.py has not been trained with it yet.
"""

import itertools
from types import SimpleNamespace

from lecture10_vae import vae
from lecture10_vae.beyond.experiments import over_seeds, trained
from lecture10_vae.studies import evidence, gaussians
from lecture10_vae.studies.gaussians import Gaussian
from lecture10_vae.studies.training import train
from lecture10_vae.tf1 import tf, tfd
from lecture10_vae.utils import command_line, mnist, plotting
from lecture10_vae.utils.run import restore

import numpy as np

EPOCHS, EPOCHS_AFRESH = 10, 25  # more than the VAE's 15 by 10, or as many as both
WIDE = 400  # units of the wider encoder, which has no weights yet
FRESH = {  # encoders of new weights, trained on the decoder as it is: units, epochs, and the rate that Adam ends at
    "narrow_short": (100, 15, 1e-3),  # as the VAE's own, but for the decoder, which changed while that one was trained
    "narrow": (100, EPOCHS_AFRESH, 0.0),
    "wide_short": (WIDE, 15, 1e-3),
    "wide": (WIDE, EPOCHS_AFRESH, 0.0),
}
CAUSES = ("optimization", "width", "generalization")
ENCODERS = {
    (): "narrow_short",
    ("optimization",): "narrow",
    ("width",): "wide_short",
    ("optimization", "width"): "wide",
}
SHARES = {
    "along": "trained along with the decoder",
    "optimization": "more steps",
    "width": f"{WIDE} units in place of 100",
    "generalization": "training images",
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
        encoders = [("trained_on", model.encoder, EPOCHS, 0.0)]
        for name, (units, *training) in FRESH.items():
            encoders.append((name, tf.make_template(name, vae.make_encoder, hidden_size=units), *training))
        for name, encoder, epochs, last_rate in encoders:
            posterior, optimize = build_training(model, encoder, epochs * (len(data) // 100), last_rate)
            train(session, optimize, data, epochs, model.images, seed=seed)
            for part, images in parts.items():
                posteriors[part][name] = encode(session, model, posterior, images)
        numbers = {part: measure_part(session, model, images, posteriors[part]) for part, images in parts.items()}
    return {**shares(numbers["train"]["gaps"], numbers["test"]["gaps"]), **numbers}


def build_training(model: SimpleNamespace, encoder, steps: int, last_rate: float = 0.0):
    """An encoder's Q(z|x) for the model's images, and a step on its weights alone: the decoder stays.

    The encoder is a template; over so many steps Adam's rate goes from 1e-3 to the last one.
    """
    posterior = encoder(model.images)
    code = posterior.sample()
    elbo = model.decoder(code).log_prob(model.images) - tfd.kl_divergence(posterior, model.prior)
    step = tf.Variable(0, trainable=False)
    optimizer = tf.train.AdamOptimizer(tf.train.polynomial_decay(1e-3, step, steps, last_rate))
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


def shares(train: dict[str, float], test: dict[str, float]) -> dict[str, dict[str, float]]:
    """What the gap on test images is made of, in nats, from the gaps of each encoder on both kinds of images.

    shares: of that the VAE's encoder was trained along with the decoder; of the three causes, each a mean over the
        orders in which they are taken away; of what is left then; and of the best Gaussian. Their sum is the gap.
    first, last: what each cause takes off before, and after, the other two.
    """

    def lost(mended: tuple[str, ...]) -> float:
        """By how much the encoder is below the best Gaussian, once these causes are taken away."""
        gaps = train if "generalization" in mended else test
        encoder = ENCODERS[tuple(cause for cause in CAUSES[:2] if cause in mended)]
        return gaps[f"{encoder}_nats"] - gaps["best_nats"]

    orders = list(itertools.permutations(CAUSES))
    taken = {cause: {} for cause in CAUSES}  # by order
    for order in orders:
        for place, cause in enumerate(order):
            taken[cause][order] = lost(order[:place]) - lost(order[: place + 1])
    of_each = {f"{cause}_nats": sum(by_order.values()) / len(orders) for cause, by_order in taken.items()}
    along = test["encoder_nats"] - test[f"{ENCODERS[()]}_nats"]
    return {
        "shares": {"along_nats": along}
        | of_each
        | {"rest_nats": lost(CAUSES), "approximation_nats": test["best_nats"]},
        "first": {f"{cause}_nats": next(v for o, v in taken[cause].items() if o[0] == cause) for cause in CAUSES},
        "last": {f"{cause}_nats": next(v for o, v in taken[cause].items() if o[-1] == cause) for cause in CAUSES},
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
