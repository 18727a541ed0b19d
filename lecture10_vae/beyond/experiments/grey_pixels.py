"""Slide 25: what the normaliser that a Bernoulli lacks on grey pixels changes.

Over all grey values x of a pixel, from 0 to 1, p^x (1 - p)^(1 - x) has the mass 1/2 if p is 1/2, and less for any other
p. Divided by its mass it is a density, the continuous Bernoulli (Loaiza-Ganem and Cunningham 2019). The slide's VAE is
trained with and without this normaliser, and both bounds are computed for both.

    .venv/bin/python lecture10_vae/beyond/experiments/grey_pixels.py

A minute a seed.
"""

from lecture10_vae import vae
from lecture10_vae.beyond.experiments import over_seeds
from lecture10_vae.studies.training import train
from lecture10_vae.tf1 import tf, tfd
from lecture10_vae.utils import command_line, mnist, plotting

import numpy as np

EPOCHS = 15  # vae.py's
TRAINED_ON = {"bernoulli": "the slide's Bernoulli", "continuous": "continuous Bernoulli"}


def log_normaliser(logit: tf.Tensor) -> tf.Tensor:
    """-ln of the mass on [0, 1] of p^x (1 - p)^(1 - x): what the continuous Bernoulli adds to a log probability."""
    return tfd.ContinuousBernoulli(logits=logit).log_prob(0.5) - tfd.Bernoulli(logits=logit).log_prob(0.5)


def measure(seed: int) -> dict:
    """The slide's VAE, trained with and without the normaliser: both bounds on the grey test images, in nats."""
    data, images = mnist.load("train"), mnist.load("test").images
    numbers = {"highest_nats": -pixel_entropies(images).mean()}
    for trained_on in TRAINED_ON:
        with tf.Graph().as_default(), tf.Session() as session:
            model = vae.build_graph(seed=seed)
            added = tf.reduce_sum(log_normaliser(model.dist.distribution.logits), axis=[1, 2])  # [N], nats
            bounds = {"bernoulli": model.elbo, "continuous": model.elbo + added}
            optimize = tf.train.AdamOptimizer(1e-3).minimize(-tf.reduce_mean(bounds[trained_on]))
            train(session, optimize, data, EPOCHS, model.images, seed=seed)
            fetches = {"normaliser": added, "kl": model.kl, "code_stddev": model.stddev} | bounds
            values = session.run(fetches, {model.images: images})
        numbers[trained_on] = {f"{name}_nats": value.mean() for name, value in values.items() if name != "code_stddev"}
        numbers[trained_on]["code_stddev"] = values["code_stddev"].mean()
        numbers[trained_on]["normaliser_stddev_over_images_nats"] = values["normaliser"].std()
    return numbers


def pixel_entropies(images: np.ndarray) -> np.ndarray:
    """For images [N, 28, 28], pixels taken for the probabilities of coins: their entropy, a sum, in nats: [N].

    A cross entropy is never below it: minus its mean is the highest ln P(x) that any decoder could give grey pixels.
    """
    white, black = (np.clip(values.astype(np.float64), 1e-300, 1) for values in (images, 1 - images))
    return -(white * np.log(white) + black * np.log(black)).sum(axis=(1, 2))


def draw(numbers: dict):
    """Both bounds of both VAEs, mean and stddev over seeds."""
    with plotting.new_picture(16, 6) as picture:
        for axes, bound, title in zip(
            picture.subplots(1, 2, sharey=True),
            TRAINED_ON,
            ("with the cross entropy, slide 25", "with the normaliser"),
            strict=True,
        ):
            for row, trained_on in enumerate(TRAINED_ON):
                spread = numbers[trained_on][f"{bound}_nats"]
                axes.errorbar(spread["mean"], row, xerr=spread["stddev"], fmt="o", color=plotting.BLUE, capsize=8)
            axes.set(title=title, xlabel="bound, nats per test image", ylim=(1.5, -0.5))
            axes.set_yticks(range(2), [f"trained with\n{name}" for name in TRAINED_ON.values()])
    return picture


main = over_seeds.command(measure, draw, "grey_pixels")


if __name__ == "__main__":
    command_line.run(main)
