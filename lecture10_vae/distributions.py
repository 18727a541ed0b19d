"""Slides 13-16: distributions as objects.

A network's two heads give the mean and stddev of a Gaussian over ten numbers, one Gaussian for each image: an object
that can be sampled, that scores samples, and that has a divergence to another.

    python lecture10_vae/distributions.py

Run, it prints the shapes that everybody gets wrong at first, and checks `log_prob` and `kl_divergence` against what
they stand for. The network is untrained, the images are the first of MNIST's test set; a few seconds, most of them
TensorFlow's start.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from lecture10_vae.tf1 import set_random_seed, tf, tfd
from lecture10_vae.utils import command_line, mnist
from lecture10_vae.utils.training import Run


class Distributions(NamedTuple):
    """The tensors and distributions of the graph."""

    features: tf.Tensor  # [N, 784]
    mean: tf.Tensor  # [N, 10]
    stddev: tf.Tensor  # [N, 10]
    dist: tfd.Distribution  # batch shape [N], event shape [10]
    samples: tf.Tensor  # [N, 10]
    log_prob: tf.Tensor  # [N], of those samples, in nats
    other: tfd.Distribution  # as dist, but a standard normal
    kl: tf.Tensor  # [N], KL[dist || other], in nats


def build_graph(seed=0) -> Distributions:
    """Slides 13-16, line by line."""
    set_random_seed(seed)
    features = tf.placeholder(tf.float32, [None, 784], "features")
    hidden = tf.layers.dense(features, 100, tf.nn.relu, name="hidden")

    # Slide 14: a distribution of two heads
    mean = tf.layers.dense(hidden, 10, None, name="mean")
    stddev = tf.layers.dense(hidden, 10, tf.nn.softplus, name="stddev")
    dist = tfd.MultivariateNormalDiag(mean, stddev, name="dist")

    # Slide 15: sample and score
    samples = dist.sample(seed=[seed, 0])
    log_prob = dist.log_prob(samples)

    # Slide 16: compare with another distribution
    with tf.name_scope("other"):
        other = tfd.MultivariateNormalDiag(tf.zeros_like(mean), tf.ones_like(stddev))
    kl = tfd.kl_divergence(dist, other, name="kl_divergence")
    return Distributions(features, mean, stddev, dist, samples, log_prob, other, kl)


def shape_table(session: tf.Session, graph: Distributions, features: np.ndarray) -> list[list[str]]:
    """For four ways to say "ten Gaussians an image": batch, event, sample, log_prob and KL shapes, as text."""
    standard = tfd.Normal(tf.zeros_like(graph.mean), 1.0)
    pairs = {
        "MultivariateNormalDiag": (graph.dist, graph.other),
        "Normal": (tfd.Normal(graph.mean, graph.stddev), standard),
        "Independent(Normal, 1)": (
            tfd.Independent(tfd.Normal(graph.mean, graph.stddev), 1),
            tfd.Independent(standard, 1),
        ),
    }
    rows = [["", "batch_shape", "event_shape", "sample()", "sample(5)", "log_prob(sample(5))", "kl_divergence"]]
    for name, (dist, other) in pairs.items():
        samples = dist.sample(5)
        fetches = [dist.sample(), samples, dist.log_prob(samples), tfd.kl_divergence(dist, other)]
        batch, event = session.run([dist.batch_shape_tensor(), dist.event_shape_tensor()], {graph.features: features})
        values = session.run(fetches, {graph.features: features})
        shapes = [batch, event, *(value.shape for value in values)]
        rows.append([name, *(str([int(size) for size in shape]) for shape in shapes)])
    return rows


def written_out_log_prob(samples: np.ndarray, mean: np.ndarray, stddev: np.ndarray) -> np.ndarray:
    """ln N(samples; mean, stddev^2), by hand: summed over the event's ten numbers, which is the last axis."""
    return -0.5 * (((samples - mean) / stddev) ** 2 + np.log(2 * np.pi * stddev**2)).sum(axis=-1)


def monte_carlo_kl(session: tf.Session, graph: Distributions, features: np.ndarray, samples=1_000_000, seed=0):
    """KL[dist || other] of one image as the mean of ln dist(s) - ln other(s) over samples s of dist.

    Returns:
        counts: 10, 100, ... up to `samples`.
        means, standard_errors: over the first so many samples, in nats.
    """
    drawn = graph.dist.sample(samples, seed=[seed, 1])
    log_ratio = session.run(graph.dist.log_prob(drawn) - graph.other.log_prob(drawn), {graph.features: features})
    counts = 10 ** np.arange(1, int(np.log10(samples)) + 1)
    means = np.array([log_ratio[:count].mean(dtype=np.float64) for count in counts])
    errors = np.array([log_ratio[:count].std(ddof=1, dtype=np.float64) / np.sqrt(count) for count in counts])
    return counts, means, errors


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
        logdir: the folder for pictures, figures and TensorBoard's graph.
        data_dir: the folder with MNIST's four files.
        fresh: replace what an earlier run with other flags has left in the folder.

    Returns:
        What results.json says.
    """
    config = {"images": images, "seed": seed}
    command_line.check_numbers(**config)
    features = mnist.load("test", data_dir).images[:images].reshape(-1, 784)
    with tf.Graph().as_default(), tf.Session() as session, Run("distributions", logdir, config, fresh) as run:
        graph = build_graph(seed)
        run.writer("graph").add_graph(session.graph)
        session.run(tf.global_variables_initializer())

        print(f"Shapes, for {images} images and the ten outputs of slide 14:\n")
        print_table(shape_table(session, graph, features))

        fetches = [graph.mean, graph.stddev, graph.samples, graph.log_prob, graph.kl]
        mean, stddev, samples, log_prob, kl = session.run(fetches, {graph.features: features})
        by_hand = written_out_log_prob(samples, mean, stddev)
        rows = [["image", "log_prob", "the density, written out"]]
        rows += [[str(i), f"{a:.5f}", f"{b:.5f}"] for i, (a, b) in enumerate(zip(log_prob, by_hand, strict=True))]
        print_table(rows[:6])

        counts, means, errors = monte_carlo_kl(session, graph, features[:1], seed=seed)
        print(f"kl_divergence(dist, other) of image 0 is {kl[0]:.5f} nats; the mean log ratio of samples:\n")
        rows = [["samples", "mean log ratio", "standard error", "off by"]]
        for count, estimate, error in zip(counts, means, errors, strict=True):
            rows.append([f"{count:,}", f"{estimate:.5f}", f"{error:.5f}", f"{(estimate - kl[0]) / error:+.1f} errors"])
        print_table(rows)

        from lecture10_vae.utils import plotting  # here, since matplotlib takes half a second to load

        drawn = session.run(graph.dist.sample(300, seed=[seed, 2]), {graph.features: features[:1]})[:, 0]
        plotting.save(plotting.two_gaussians(mean[0], stddev[0], drawn), run.figures_dir / "densities.png")
        plotting.save(plotting.monte_carlo(counts, means, errors, kl[0]), run.figures_dir / "divergence.png")
        return run.finish(
            kl_nats=kl[0],
            monte_carlo_kl_nats=means[-1],
            monte_carlo_kl_standard_error_nats=errors[-1],
            largest_log_prob_difference_nats=np.abs(log_prob - by_hand).max(),
        )


if __name__ == "__main__":
    command_line.run(main)
