"""Slides 17-18: what a network's learned stddev is worth beside one constant stddev, the best there is.

    .venv/bin/python lecture10_vae/beyond/experiments/learned_stddev.py

A minute a seed.
"""

from types import SimpleNamespace

from lecture10_vae import regression
from lecture10_vae.beyond.experiments import over_seeds
from lecture10_vae.studies.training import train
from lecture10_vae.tf1 import tf
from lecture10_vae.utils import command_line, mnist, plotting

import numpy as np

EPOCHS = 24  # regression.py's, chosen on held-out training images for the stddev of 1; the same for the others
NETWORKS = {  # flags of regression.py
    "constant": {"learn_stddev": False},
    "learned": {"learn_stddev": True},
    "learned_middle_floor": {"learn_stddev": True, "least_stddev": 0.1},
    "learned_low_floor": {"learn_stddev": True, "least_stddev": 0.05},
}
ROWS = (  # network, its number, title, colour, marker
    ("constant", "log_prob_nats", "stddev 1 (slide 18)", plotting.GRAY, "^"),
    ("constant", "constant_log_prob_nats", "best constant stddev", plotting.BLUE, "o"),
    ("learned", "log_prob_nats", "learned, 0.2 or more\n(--learn-stddev)", plotting.ORANGE, "s"),
    ("learned_middle_floor", "log_prob_nats", "learned, 0.1 or more", plotting.ORANGE, "D"),
    ("learned_low_floor", "log_prob_nats", "learned, 0.05 or more", plotting.ORANGE, "v"),
)


def measure(seed: int) -> dict:
    """Regression with stddev 1, the best constant stddev, and learned ones: log probability and accuracy."""
    data, test = mnist.load("train"), mnist.load("test")
    numbers = {}
    for name, options in NETWORKS.items():
        with tf.Graph().as_default(), tf.Session() as session:
            model = regression.build_graph(seed=seed, **options)
            train(session, model.optimize, data, EPOCHS, model.images, model.digit, seed=seed)
            numbers[name] = measure_network(session, model, data, test)
    return numbers


def log_prob(squared_error: float, stddev: float) -> float:
    """ln P(label|inputs) in nats, in the mean, with a constant stddev of the ten outputs."""
    return -squared_error / (2 * stddev**2) - 5 * np.log(2 * np.pi * stddev**2)


def measure_network(
    session: tf.Session, model: SimpleNamespace, data: mnist.Dataset, test: mnist.Dataset
) -> dict[str, float]:
    """A trained network on test images, with the stddev it has, and with the best constant one in its place.

    Returns:
        accuracy, log_prob_nats: as it is.
        constant_stddev, constant_log_prob_nats: fitted on the training images.
        least_stddev, median_stddev: of its outputs.
        ceiling_nats: the log probability if all errors were 0 and all stddevs the least.
    """
    fetches = [model.mean, model.log_prob, model.stddev, model.squared_error]
    mean, log_probs, stddev, test_error = session.run(fetches, {model.images: test.images, model.digit: test.labels})
    train_error = session.run(model.squared_error, {model.images: data.images, model.digit: data.labels})
    # The derivative of -error / (2 stddev^2) - 10 ln stddev is 0 where stddev^2 is a tenth of the error
    constant = np.sqrt(train_error.mean(dtype=np.float64) / 10)
    return {
        "accuracy": np.mean(mean.argmax(axis=1) == test.labels),
        "log_prob_nats": log_probs.mean(dtype=np.float64),
        "constant_stddev": constant,
        "constant_log_prob_nats": log_prob(test_error.mean(dtype=np.float64), constant),
        "least_stddev": float(stddev.min()),
        "median_stddev": float(np.median(stddev)),
        "ceiling_nats": log_prob(0, float(stddev.min())),
    }


def draw(numbers: dict):
    """A row for each stddev: the log probability of test labels, and the accuracy; mean and stddev over the seeds."""
    with plotting.new_picture(16, 7) as picture:
        left, right = picture.subplots(1, 2, sharey=True)
        for row, (network, name, _, color, marker) in enumerate(ROWS):
            style = {"fmt": marker, "color": color, "markersize": 14, "capsize": 8}
            for axes, key, scale in ((left, name, 1), (right, "accuracy", 100)):
                spread = numbers[network][key]
                axes.errorbar(scale * spread["mean"], row, xerr=scale * spread["stddev"], **style)
        left.set_yticks(range(len(ROWS)), [title for _, _, title, _, _ in ROWS])
        left.set(ylim=(len(ROWS) - 0.5, -0.5), xlabel="nats", title="ln P(label|image), test")
        right.set(xlabel="%", title="accuracy, test")
        for axes in (left, right):
            axes.grid(axis="x", alpha=0.4)
            axes.locator_params(axis="x", nbins=5)
    return picture


main = over_seeds.command(measure, draw, "learned_stddev")


if __name__ == "__main__":
    command_line.run(main)
