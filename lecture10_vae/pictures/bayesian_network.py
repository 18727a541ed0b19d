"""bayesian_network.py's pictures: its weights, its doubt and its pruning, and what TensorBoard shows."""

from types import SimpleNamespace

import numpy as np

from lecture10_vae.pictures.classification import draw_outputs, draw_reliability
from lecture10_vae.studies import calibration, uncertainty
from lecture10_vae.tf1 import tf
from lecture10_vae.utils import plotting
from lecture10_vae.utils.mnist import Dataset
from lecture10_vae.utils.run import Run

PARTS = {"expected_entropy_nats": "left open by the data", "mutual_information_nats": "left open by the weights"}
PART_STYLES = [  # of areas
    {"facecolor": plotting.LIGHT_BLUE, "edgecolor": plotting.BLUE},
    {"facecolor": plotting.BLUE, "edgecolor": plotting.LIGHT_BLUE, "hatch": "\\\\"},
]
POINT_ESTIMATE = {"color": plotting.ORANGE, "linestyle": "dashed", "marker": "s", "label": "point estimate"}


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


def draw(
    session: tf.Session, model: SimpleNamespace, run: Run, predictions: dict[str, np.ndarray], test: Dataset, numbers
) -> None:
    """weights.png, reliability.png, doubtful.png, rotation.png, unfamiliar.png and pruning.png.

    Args:
        predictions: of each predictor for the test images, [draws, N, 10].
        numbers: what the studies of uncertainty and pruning have measured.
    """
    mean, stddev = session.run([model.mean, model.stddev])
    plotting.save(draw_weights(mean[:784], stddev[:784]), run.pictures_dir / "weights.png")
    reliability = {
        name.replace("_", " ").replace("bayesian", "Bayesian"): calibration.reliability(draws.mean(axis=0), test.labels)
        for name, draws in predictions.items()
    }
    plotting.save(draw_reliability(reliability), run.pictures_dir / "reliability.png")
    plotting.save(draw_doubtful(predictions["bayesian"], test), run.pictures_dir / "doubtful.png")

    six = np.flatnonzero(test.labels == 6) if 6 in test.labels else [0]  # data of one's own may have no six
    one = test._replace(pixels=test.pixels[six[:1]]).images
    turned = np.concatenate([uncertainty.turn(one, angle) for angle in numbers["rotation"]["degrees"]])
    plotting.save(draw_rotation(turned, **numbers["rotation"]), run.pictures_dir / "rotation.png")
    few = test.first(4).images
    examples = {"test digits": few} | dict(uncertainty.make_unfamiliar(few))
    plotting.save(draw_unfamiliar(examples, **numbers["unfamiliar"]), run.pictures_dir / "unfamiliar.png")
    plotting.save(draw_pruning(**numbers["pruning"]), run.pictures_dir / "pruning.png")


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
    """The mean and the stddev of weights [784, 10], each as ten pictures, one for each class."""
    from matplotlib.colors import LinearSegmentedColormap

    limit = np.quantile(np.abs(mean), 0.995)
    for_or_against = LinearSegmentedColormap.from_list("", [plotting.BLUE, "white", plotting.ORANGE])
    with plotting.new_picture(16, 4.6) as picture:
        axes = picture.subplots(2, 1, sharex=True)
        for axis, name, values, colors, least in zip(
            axes, ("mean", "stddev"), (mean, stddev), (for_or_against, "viridis"), (-limit, 0), strict=True
        ):
            most = limit if least else 1
            pictures = plotting.tile(values.T.reshape(10, 28, 28), columns=10)
            shown = axis.imshow(pictures, cmap=colors, vmin=least, vmax=most, interpolation="nearest")
            axis.set(yticks=[], ylabel=name)
            axis.spines[:].set_visible(False)
            for edge in range(28, 280, 28):
                axis.axvline(edge - 0.5, color="white", linewidth=3)
            picture.colorbar(shown, ax=axis, aspect=8, pad=0.01, extend="both" if least else "neither")
        axes[0].set_title("What each pixel says for a digit (orange) or against it (blue), and how unsure that is")
        axes[0].tick_params("x", length=0)
        axes[1].set(xticks=28 * np.arange(10) + 13.5, xticklabels=range(10), xlabel="digit")
    return picture


def draw_rotation(turned: np.ndarray, degrees: list[float], bayesian: dict, point_estimate: dict):
    """Accuracy and entropies, lists over degrees by name for each predictor, over one digit so turned [A, 28, 28]."""
    half = (degrees[1] - degrees[0]) / 2
    with plotting.new_picture(*plotting.SCREEN) as picture:
        upper, lower, strip = picture.subplots(3, 1, sharex=True, height_ratios=[2, 3, 1])
        # The two may coincide: a broad line under a thin one
        upper.plot(degrees, bayesian["accuracy"], color=plotting.LIGHT_BLUE, linewidth=14, label="Bayesian")
        upper.plot(degrees, point_estimate["accuracy"], **POINT_ESTIMATE)
        upper.set(ylabel="accuracy", ylim=(0, 1), xlim=(degrees[0] - half, degrees[-1] + half))
        upper.set_title("Test digits, turned: is it less sure where it is less right?")
        upper.legend(frameon=False)
        below = np.zeros(len(degrees))
        for (name, part), style in zip(PARTS.items(), PART_STYLES, strict=True):
            above = below + bayesian[name]
            lower.fill_between(degrees, below, above, label=f"Bayesian, {part}", **style)
            below = above
        lower.plot(degrees, point_estimate["entropy_nats"], **POINT_ESTIMATE)
        lower.axhline(np.log(10), color=plotting.GRAY, linestyle="dotted", label="no idea: ln 10")
        lower.set(ylabel="entropy, nats", ylim=(0, 2.5))
        lower.legend(ncols=2, loc="upper center", bbox_to_anchor=(0.5, 0.93), frameon=False)
        extent = (degrees[0] - half, degrees[-1] + half, 0, 1)
        turned = plotting.tile(turned, len(turned))
        strip.imshow(turned, cmap=plotting.INK, vmin=0, vmax=1, extent=extent, aspect="auto")
        strip.set(xlabel="degrees", xticks=degrees, yticks=[])
        strip.spines[:].set_visible(False)
    return picture


def draw_unfamiliar(examples: dict[str, np.ndarray], bayesian: dict, point_estimate: dict):
    """Mean entropies of named sets of images for each predictor, over the first four of each set [N, 28, 28]."""
    places = np.arange(len(examples))
    with plotting.new_picture(*plotting.SCREEN) as picture:
        grid = picture.add_gridspec(2, len(examples), height_ratios=[4, 1])
        axes = picture.add_subplot(grid[0, :])
        below = np.zeros(len(examples))
        for (name, part), style in zip(PARTS.items(), PART_STYLES, strict=True):
            values = np.array([bayesian[images][name] for images in examples])
            axes.bar(places - 0.2, values, 0.36, below, label=f"Bayesian, {part}", **style)
            below += values
        plain = [point_estimate[images]["entropy_nats"] for images in examples]
        style = {"facecolor": plotting.LIGHT_ORANGE, "edgecolor": plotting.ORANGE, "hatch": plotting.HATCH}
        axes.bar(places + 0.2, plain, 0.36, label="point estimate", **style)
        axes.axhline(np.log(10), color=plotting.GRAY, linestyle="dotted", label="no idea: ln 10")
        axes.set(xticks=places, xticklabels=examples, xlim=(-0.5, len(examples) - 0.5), ylabel="mean entropy, nats")
        axes.set(title="Is it less sure of what it was not trained on?", ylim=(0, 3.1), yticks=[0, 0.5, 1, 1.5, 2])
        axes.legend(ncols=2, loc="upper center", frameon=False)
        for place, images in enumerate(examples.values()):
            apart = np.pad(images[:4], [(0, 0), (2, 2), (2, 2)])
            plotting.show_images(picture.add_subplot(grid[1, place]), apart, columns=4)
    return picture


def draw_pruning(kept: list[float], **accuracy: list[float]):
    """Accuracy over the fraction of the weights kept, for each way to choose them: by_... or point_estimate_by_...."""
    signs = {
        "size": "|weight|",
        "mean": "|mean|",
        "effect": "|weight| x pixel's stddev",
        "signal_to_noise": "|mean| / stddev",
    }
    blue, orange = plotting.BLUE, plotting.ORANGE
    with plotting.new_picture(*plotting.SCREEN) as picture:
        axes = picture.add_subplot()
        styles = (("o-", blue, blue), ("o:", blue, "white"), ("s:", orange, "white"), ("s-", orange, orange))
        for (name, values), (style, color, face) in zip(accuracy.items(), styles, strict=True):
            predictor, _, sign = name.rpartition("by_")
            label = f"{'point estimate' if predictor else 'Bayesian'}, largest {signs[sign]}"
            axes.plot(kept, values, style, color=color, markerfacecolor=face, label=label)
        axes.set(xscale="log", ylim=(0, 1), xlabel="weights kept; the others are set to zero", ylabel="accuracy")
        axes.set_xticks(kept, [f"{fraction:.0%}" for fraction in kept])
        axes.set_xticks([], minor=True)
        axes.set_title("Accuracy on test images with fewer and fewer weights: which can go?")
        axes.grid(alpha=0.3)
        picture.legend(loc="outside lower center", ncols=2, frameon=False)
    return picture
