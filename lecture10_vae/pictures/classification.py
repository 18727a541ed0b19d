"""classification.py's pictures: reliability, confusions and doubtful digits; the first and last serve others too."""

from pathlib import Path

from lecture10_vae.studies import calibration
from lecture10_vae.utils import plotting
from lecture10_vae.utils.mnist import Dataset

import numpy as np
from scipy.special import betaincinv

FEW = 10  # images: of a bin with fewer, the accuracy is not drawn


def draw(probability: np.ndarray, test: Dataset, folder: Path) -> None:
    """reliability.png, confusion.png, and doubtful.png with the dozen test digits of the least probable answers.

    Args:
        probability: of each class for each test image, [N, 10].
    """
    reliability = {"test images": calibration.reliability(probability, test.labels)}
    plotting.save(draw_reliability(reliability), folder / "reliability.png")
    plotting.save(draw_confusion(probability.argmax(axis=1), test.labels, test.name), folder / "confusion.png")
    doubtful = np.argsort(probability.max(axis=1))[:12]
    chosen = (array[doubtful] for array in (test.images, test.labels, probability))
    title = f"The dozen test digits of {test.name} whose answers are least probable"
    plotting.save(draw_outputs(*chosen, name="probability", title=title), folder / "doubtful.png")


def draw_outputs(
    images: np.ndarray,
    labels: np.ndarray,
    values: np.ndarray,
    stddev: np.ndarray | None = None,
    draws: np.ndarray | None = None,
    *,
    name: str,
    title: str,
):
    """A dozen digits [12, 28, 28], each over ten numbers that a network gave it [12, 10], with error bars if known.

    The bar of the right digit, from labels [12], is blue, and that of a wrong answer orange and hatched. Error bars are
    one stddev [12, 10] each way; beside them stands the label, 1 for the digit. Where the numbers are means over draws
    [draws, 12, 10], each draw is a dot.
    """
    with plotting.new_picture(*plotting.SCREEN) as picture:
        grid = picture.add_gridspec(4, 6, height_ratios=[1, 1.7] * 2)
        for place, (image, label, value) in enumerate(zip(images, labels, values, strict=True)):
            row, column = divmod(place, 6)
            plotting.show_images(picture.add_subplot(grid[2 * row, column]), image[np.newaxis], columns=1)
            axes = picture.add_subplot(grid[2 * row + 1, column], sharey=picture.axes[1] if place else None)
            draw_bars(axes, value, label, None if stddev is None else stddev[place])
            if draws is not None:
                aside = np.linspace(-0.3, 0.3, len(draws))[:, np.newaxis]
                axes.plot(aside + np.arange(10), draws[:, place], ".", color="black", markersize=4)
            axes.set(xlim=(-0.7, 9.7), xticks=range(10), ylabel=name if column == 0 else "")
            axes.tick_params("x", labelsize="small", length=0)
            axes.get_xticklabels()[label].set(color=plotting.BLUE, weight="bold")  # its bar may be too low to see
            axes.tick_params("y", labelleft=column == 0)
        picture.suptitle(title)
        add_legend(picture, stddev is not None, draws is not None)
    return picture


def draw_bars(axes, values: np.ndarray, label: int, stddev: np.ndarray | None) -> None:
    """Ten bars, the right digit's and a wrong answer's marked, with error bars and the label, 1, if they are known."""
    error_bars = {"elinewidth": 2.5, "ecolor": plotting.GRAY, "zorder": 1}
    bars = axes.bar(range(10), values, color=plotting.LIGHT_GRAY, yerr=stddev, error_kw=error_bars)
    if values.argmax() != label:
        bars[values.argmax()].set(facecolor=plotting.LIGHT_ORANGE, edgecolor=plotting.ORANGE, hatch=plotting.HATCH)
    bars[label].set_facecolor(plotting.BLUE)
    if stddev is not None:
        axes.plot(label, 1, "_", color="black", markersize=22, markeredgewidth=4)


def add_legend(picture, error_bars: bool, dots: bool) -> None:
    """What the bars of `draw_outputs` mean, under them."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    wrong = {"facecolor": plotting.LIGHT_ORANGE, "edgecolor": plotting.ORANGE, "hatch": plotting.HATCH}
    signs = {"the digit": Patch(color=plotting.BLUE), "a wrong answer": Patch(**wrong)}
    if error_bars:
        bar = {"marker": "|", "markersize": 26, "markeredgewidth": 2.5, "linestyle": "none"}
        signs["one stddev"] = Line2D([], [], color=plotting.GRAY, **bar)
        signs["label: 1, others 0"] = Line2D([], [], color="black", linewidth=4)
    if dots:
        signs["a draw of the weights"] = Line2D([], [], color="black", marker=".", linestyle="none")
    picture.legend(signs.values(), signs, loc="outside lower center", ncols=len(signs), frameon=False)


def draw_reliability(predictors: dict[str, calibration.Reliability]):
    """Accuracy over confidence for each named predictor, and how many answers there are of each confidence.

    Error bars hold the accuracy with 95 % (Jeffreys' interval); bins of few images are left out.
    """
    with plotting.new_picture(*plotting.SCREEN) as picture:
        left, right = picture.subplots(1, 2, width_ratios=[3, 2])
        left.plot([0, 1], [0, 1], ":", color=plotting.GRAY, label="as right as sure: 0")
        for (name, bins), color, style in zip(
            predictors.items(), (plotting.BLUE, plotting.ORANGE), ("o-", "s--"), strict=False
        ):
            error = np.nansum(bins.count * np.abs(bins.accuracy - bins.confidence)) / bins.count.sum()
            enough = bins.count >= FEW
            confidence, accuracy, count = (values[enough] for values in bins)
            sides = np.abs(interval(accuracy, count) - accuracy)
            left.errorbar(confidence, accuracy, sides, fmt=style, color=color, label=f"{name}: {error:.3f}")
            edges = np.linspace(0, 1, len(bins.count) + 1)
            right.stairs(bins.count, edges, color=color, linestyle=style[1:], linewidth=4, label=name)
            most = bins.count.max()
        left.set(xlabel="confidence: the answer's probability", ylabel="accuracy", xlim=(0, 1.02), ylim=(0, 1.02))
        right.set(xlabel="confidence", ylabel="test images", yscale="log", xlim=(0, 1), ylim=(1, 60 * most))
        right.yaxis.set_major_formatter("{x:,.0f}")
        right.axhspan(1, FEW, color="#ebebeb", label="not on the left", zorder=0)
        picture.suptitle("Is it as often right as it is sure? Error bars hold 95 %")
        left.legend(loc="lower right", title="calibration error", frameon=False, alignment="right")
        right.legend(loc="upper left", frameon=False)
    return picture


def interval(accuracy: np.ndarray, count: np.ndarray) -> np.ndarray:
    """Jeffreys' 95 % intervals of fractions [bins] of so many images [bins]: [2, bins], with the fraction inside."""
    right = accuracy * count
    low, high = betaincinv(right + 0.5, count - right + 0.5, np.array([[0.025], [0.975]]))
    return np.stack([np.minimum(low, accuracy), np.maximum(high, accuracy)])


def draw_confusion(answers: np.ndarray, labels: np.ndarray, name: str = "MNIST"):
    """How often each digit [N] got each answer [N]; the shades are those of the mistakes."""
    counts = np.zeros((10, 10), int)
    np.add.at(counts, (labels, answers), 1)
    mistakes = np.where(np.eye(10), 0, counts)
    with plotting.new_picture(*plotting.SCREEN) as picture:
        axes = picture.add_subplot()
        axes.imshow(mistakes, cmap="Oranges", vmax=1.5 * mistakes.max(), aspect="auto")
        for label, answer in np.ndindex(10, 10):
            style = {"color": plotting.BLUE, "weight": "bold"} if label == answer else {"color": "black"}
            axes.text(answer, label, counts[label, answer] or "", ha="center", va="center", **style)
        axes.set(xlabel="answer", ylabel="digit", xticks=range(10), yticks=range(10))
        axes.set_title(f"{mistakes.sum()} of {counts.sum():,} test images of {name} mistaken")
    return picture
