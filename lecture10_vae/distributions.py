"""Slides 13-16: distributions as objects.

A network's two heads give the mean and stddev of a Gaussian over ten numbers, one Gaussian for each image: an object
that can be sampled, that scores samples, and that has a divergence to another.

    .venv/bin/python lecture10_vae/distributions.py

Run, it prints the shapes, which are the first difficulty, and checks `log_prob` and `kl_divergence` against what
they stand for. The network is untrained, the images are the first of MNIST's test set; a few seconds, most of them
TensorFlow's start.
"""

from pathlib import Path
from types import SimpleNamespace

from lecture10_vae.pictures import distributions as pictures
from lecture10_vae.studies import densities
from lecture10_vae.tf1 import tf, tfd
from lecture10_vae.utils import command_line, mnist
from lecture10_vae.utils.run import Run

import numpy as np


def build_graph(seed=0) -> SimpleNamespace:
    """Slides 13-16, line by line. Returns everything below by its name."""
    tf.set_random_seed(seed)
    features = tf.placeholder(tf.float32, [None, 784], "features")
    hidden = tf.layers.dense(features, 100, tf.nn.relu, name="hidden")

    # Slide 14: a distribution of two heads
    mean = tf.layers.dense(hidden, 10, None, name="mean")  # [N, 10]
    stddev = tf.layers.dense(hidden, 10, tf.nn.softplus, name="stddev")  # [N, 10]
    dist = tfd.MultivariateNormalDiag(mean, stddev, name="dist")  # batch shape [N], event shape [10]

    # Slide 15: sample and score
    samples = dist.sample()  # [N, 10], new ones in each session.run
    log_prob = dist.log_prob(samples)  # [N], nats

    # Slide 16: compare with another distribution
    with tf.name_scope("other"):
        other = tfd.MultivariateNormalDiag(tf.zeros_like(mean), tf.ones_like(stddev))
    with tf.name_scope("kl_divergence"):
        kl = tfd.kl_divergence(dist, other)  # [N], nats
    return SimpleNamespace(**locals())


def main(
    images: int = 3,
    seed: int = 0,
    logdir: Path = Path("runs/distributions"),
    data_dir: Path = mnist.DATA_DIR,
) -> dict:
    """Shows the distributions of slides 13-16 at work on MNIST's first test images.

    Args:
        images: how many test images are the features.
        seed: of the network's weights and of the samples.
        logdir: the run's folder; where it exists, a number is added.
        data_dir: the folder with MNIST's four files.
    """
    flags = dict(locals())
    test = mnist.load("test", data_dir).first(images)
    features = test.images.reshape(-1, 784)
    with tf.Graph().as_default(), tf.Session() as session:
        model = build_graph(seed)
        run = Run(__file__, logdir, flags, parts=["test"])
        session.run(tf.global_variables_initializer())
        fetches = [model.mean, model.stddev, model.samples, model.log_prob, model.kl]
        mean, stddev, samples, log_prob, kl = session.run(fetches, {model.features: features})
        many = session.run(model.samples, {model.features: np.repeat(features[:1], 300, axis=0)})

    print(f"Shapes, for {len(test)} images and the ten outputs of slide 14:\n")
    densities.print_table(densities.shape_table(mean, stddev))
    by_hand = densities.written_out_log_prob(samples, mean, stddev)
    densities.print_table(densities.log_prob_table(log_prob, by_hand))
    counts, means, errors = densities.monte_carlo_kl(mean[0], stddev[0], seed=seed)
    print(f"kl_divergence(dist, other) of image 0 is {kl[0]:.5f} nats; the mean log ratio of samples:\n")
    densities.print_table(densities.kl_table(kl[0], counts, means, errors))
    pictures.draw(mean[0], stddev[0], many, (counts, means, errors, kl[0]), run.folder / "pictures")
    return run.finish(
        kl_nats=kl[0],
        monte_carlo_kl_nats=means[-1],
        monte_carlo_kl_standard_error_nats=errors[-1],
        largest_log_prob_difference_nats=np.abs(log_prob - by_hand).max(),
    )


if __name__ == "__main__":
    command_line.run(main)
