"""Slides 13-16: distributions as objects.

A network's two heads give the mean and stddev of a Gaussian over ten numbers, one Gaussian for each image: an object
that can be sampled, that scores samples, and that has a divergence to another.

    python lecture10_vae/distributions.py

Run, it prints the shapes, which are the first difficulty, and checks `log_prob` and `kl_divergence` against what
they stand for. The network is untrained, the images are the first of MNIST's test set; a few seconds, most of them
TensorFlow's start.
"""

from pathlib import Path
from types import SimpleNamespace

import numpy as np

from lecture10_vae.pictures import distributions as pictures
from lecture10_vae.studies import densities
from lecture10_vae.tf1 import set_random_seed, tf, tfd
from lecture10_vae.utils import command_line, mnist
from lecture10_vae.utils.run import Run


def build_graph(seed=0) -> SimpleNamespace:
    """Slides 13-16, line by line. Returns everything below by its name."""
    set_random_seed(seed)
    features = tf.placeholder(tf.float32, [None, 784], "features")
    hidden = tf.layers.dense(features, 100, tf.nn.relu, name="hidden")

    # Slide 14: a distribution of two heads
    mean = tf.layers.dense(hidden, 10, None, name="mean")  # [N, 10]
    stddev = tf.layers.dense(hidden, 10, tf.nn.softplus, name="stddev")  # [N, 10]
    dist = tfd.MultivariateNormalDiag(mean, stddev, name="dist")  # batch shape [N], event shape [10]

    # Slide 15: sample and score
    samples = dist.sample(seed=[seed, 0])  # [N, 10]
    log_prob = dist.log_prob(samples)  # [N], nats

    # Slide 16: compare with another distribution
    with tf.name_scope("other"):
        other = tfd.MultivariateNormalDiag(tf.zeros_like(mean), tf.ones_like(stddev))
    with tf.name_scope("kl_divergence"):
        kl = tfd.kl_divergence(dist, other)  # [N], nats
    return SimpleNamespace(**locals())


def print_table(rows: list[list[str]]) -> None:
    """Prints rows of text in columns as wide as they need to be."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        print("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip())
    print()


def main(
    images: int = 3,
    seed: int = 0,
    logdir: Path = Path("runs/distributions"),
    data_dir: Path = mnist.DATA_DIR,
    fresh: bool = False,
) -> dict:
    """Shows the distributions of slides 13-16 at work on MNIST's first test images.

    Args:
        images: how many test images are the features.
        seed: of the network's weights and of the samples.
        logdir: the folder for pictures, numbers and TensorBoard's graph.
        data_dir: the folder with MNIST's four files.
        fresh: replace what an earlier run with other flags has left in the folder.

    Returns:
        What results.json says.
    """
    command_line.check_numbers(images=images, seed=seed)
    test = mnist.load("test", data_dir)
    command_line.check_at_most(len(test.pixels), images=images)
    features = test.first(images).images.reshape(-1, 784)
    config = {"images": images, "seed": seed, "data": test.describe()}
    with tf.Graph().as_default(), tf.Session() as session, Run(__file__, logdir, config, fresh) as run:
        model = build_graph(seed)
        run.begin(session, slide=[model.log_prob, model.kl], part="test")
        run.flush(0)

        print(f"Shapes, for {images} images and the ten outputs of slide 14:\n")
        print_table(densities.shape_table(session, model, features))

        fetches = [model.mean, model.stddev, model.samples, model.log_prob, model.kl]
        mean, stddev, samples, log_prob, kl = session.run(fetches, {model.features: features})
        by_hand = densities.written_out_log_prob(samples, mean, stddev)
        rows = [["image", "log_prob", "the density, written out"]]
        rows += [[str(i), f"{a:.5f}", f"{b:.5f}"] for i, (a, b) in enumerate(zip(log_prob, by_hand, strict=True))]
        print_table(rows[:6])

        counts, means, errors = densities.monte_carlo_kl(session, model, features[:1], seed=seed)
        print(f"kl_divergence(dist, other) of image 0 is {kl[0]:.5f} nats; the mean log ratio of samples:\n")
        rows = [["samples", "mean log ratio", "standard error", "off by"]]
        for count, estimate, error in zip(counts, means, errors, strict=True):
            rows.append([f"{count:,}", f"{estimate:.5f}", f"{error:.5f}", f"{(estimate - kl[0]) / error:+.1f} errors"])
        print_table(rows)

        some = session.run(model.dist.sample(300, seed=[seed, 2]), {model.features: features[:1]})[:, 0]
        pictures.draw(mean[0], stddev[0], some, (counts, means, errors, kl[0]), run.pictures_dir)
        return run.finish(
            "densities.png",
            kl_nats=kl[0],
            monte_carlo_kl_nats=means[-1],
            monte_carlo_kl_standard_error_nats=errors[-1],
            largest_log_prob_difference_nats=np.abs(log_prob - by_hand).max(),
        )


if __name__ == "__main__":
    command_line.run(main)
