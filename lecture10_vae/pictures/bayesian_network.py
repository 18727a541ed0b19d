"""bayesian_network.py's pictures: its weights and its doubt, and what TensorBoard shows."""

from pathlib import Path
from types import SimpleNamespace

from lecture10_vae.pictures.classification import draw_outputs, draw_reliability
from lecture10_vae.studies import calibration, uncertainty
from lecture10_vae.tf1 import tf
from lecture10_vae.utils import plotting
from lecture10_vae.utils.mnist import Dataset

import numpy as np


def summarize(model: SimpleNamespace) -> tf.Tensor:
    """For TensorBoard: histograms and pictures of the weights."""
    with tf.name_scope("summary"):
        return tf.summary.merge(
            [
                tf.summary.histogram("mean", model.mean),
                tf.summary.histogram("stddev", model.stddev),
                tf.summary.image("mean_by_class", by_class(model.mean), max_outputs=1),
                tf.summary.image("stddev_by_class", by_class(model.stddev), max_outputs=1),
            ]
        )


def by_class(weights: tf.Tensor) -> tf.Tensor:
    """Weights [784, 10], one picture a class, side by side for TensorBoard: [1, 28, 280, 1]."""
    return tf.reshape(tf.transpose(tf.reshape(weights[:784], [28, 28, 10]), [0, 2, 1]), [1, 28, 280, 1])


def draw(session: tf.Session, model: SimpleNamespace, prediction: np.ndarray, test: Dataset, folder: Path) -> None:
    """weights.png, reliability.png and doubtful.png, of the test images' prediction [draws, N, 10]."""
    plotting.save(draw_weights(*session.run([model.mean, model.stddev])), folder / "weights.png")
    reliability = calibration.reliability(prediction.mean(axis=0), test.labels)
    plotting.save(draw_reliability({"averaged over draws": reliability}), folder / "reliability.png")
    plotting.save(draw_doubtful(prediction, test), folder / "doubtful.png")


def draw_doubtful(prediction: np.ndarray, test: Dataset):
    """Of predictions [draws, N, 10], those of six test digits that each draw doubts, and six on which they disagree."""
    entropy = uncertainty.split_entropy(prediction)
    chosen = np.concatenate([np.argsort(-entropy.expected_entropy)[:6], np.argsort(-entropy.mutual_information)[:6]])
    draws = prediction[:, chosen]
    title = (
        "Test digits, and the answers by each draw of the weights: above, those that\n"
        "each draw doubts most; below, those on which draws disagree most"
    )
    shown = {"draws": draws, "name": "probability", "title": title}
    return draw_outputs(test.images[chosen], test.labels[chosen], draws.mean(axis=0), **shown)


def draw_weights(mean: np.ndarray, stddev: np.ndarray):
    """The mean and the stddev of the weights, each as ten pictures, one for each class.

    Args:
        mean, stddev: [784, 10], or [785, 10] with a Bayesian bias, which is left out.
    """
    from matplotlib.colors import LinearSegmentedColormap

    limit = np.quantile(np.abs(mean[:784]), 0.995)
    for_or_against = LinearSegmentedColormap.from_list("", [plotting.BLUE, "white", plotting.ORANGE])
    rows = (("mean", mean, for_or_against, -limit, limit, "both"), ("stddev", stddev, "viridis", 0, 1, "neither"))
    with plotting.new_picture(16, 4.6) as picture:
        axes = picture.subplots(2, 1, sharex=True)
        for axis, (name, values, colors, least, most, extend) in zip(axes, rows, strict=True):
            pictures = plotting.tile(values[:784].T.reshape(10, 28, 28), columns=10)
            shown = axis.imshow(pictures, cmap=colors, vmin=least, vmax=most, interpolation="nearest")
            axis.set(yticks=[], ylabel=name)
            axis.spines[:].set_visible(False)
            for edge in range(28, 280, 28):
                axis.axvline(edge - 0.5, color="white", linewidth=3)
            picture.colorbar(shown, ax=axis, aspect=8, pad=0.01, extend=extend)
        axes[0].set_title("What each pixel says for a digit (orange) or against it (blue), and how unsure that is")
        axes[0].tick_params("x", length=0)
        axes[1].set(xticks=28 * np.arange(10) + 13.5, xticklabels=range(10), xlabel="digit")
    return picture
