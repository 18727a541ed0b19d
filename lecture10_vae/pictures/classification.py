"""classification.py's pictures: reliability, confusions and doubtful digits; the first and last serve others too."""

from pathlib import Path

import numpy as np

from lecture10_vae.studies import calibration
from lecture10_vae.utils import plotting
from lecture10_vae.utils.mnist import Dataset


def draw(probability: np.ndarray, test: Dataset, folder: Path) -> None:
    """reliability.png, confusion.png, and doubtful.png with the dozen test digits of the least probable answers.

    Args:
        probability: of each class for each test image, [N, 10].
    """
    reliability = {"test set": calibration.reliability(probability, test.labels)}
    plotting.save(draw_reliability(reliability), folder / "reliability.png")
    plotting.save(draw_confusion(probability.argmax(axis=1), test.labels, test.name), folder / "confusion.png")
    doubtful = np.argsort(probability.max(axis=1))[:12]
    picture = draw_outputs(
        *(array[doubtful] for array in (test.images, test.labels, probability)),
        name="probability",
        title="The most doubtful test digits",
    )
    plotting.save(picture, folder / "doubtful.png")


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

    The bar of the right digit, from labels [12], is green, and that of a wrong answer red. Where the numbers are means
    over draws [draws, 12, 10], each draw is a dot.
    """
    with plotting.new_picture(16, 9) as picture:
        grid = picture.add_gridspec(4, 6, height_ratios=[1, 1.6] * 2)
        for place, (image, label, value) in enumerate(zip(images, labels, values, strict=True)):
            row, column = divmod(place, 6)
            plotting.show_images(picture.add_subplot(grid[2 * row, column]), image[np.newaxis], columns=1)
            color = ["tab:red" if digit == value.argmax() else "tab:gray" for digit in range(10)]
            color[label] = "tab:green"
            axes = picture.add_subplot(grid[2 * row + 1, column], sharey=picture.axes[1] if place else None)
            errors = None if stddev is None else stddev[place]
            axes.bar(range(10), value, color=color, yerr=errors, error_kw={"capsize": 3, "elinewidth": 1.5})
            if draws is not None:
                aside = np.linspace(-0.3, 0.3, len(draws))[:, np.newaxis]
                axes.plot(aside + np.arange(10), draws[:, place], ".", color="black", markersize=3)
            axes.set(xticks=range(10), ylabel=name if column == 0 else "")
            axes.tick_params("x", labelsize=12)
            axes.get_xticklabels()[label].set(color="tab:green", weight="bold")  # its bar may be too low to see
            axes.tick_params("y", labelleft=column == 0)
        picture.suptitle(title)
    return picture


def draw_reliability(predictors: dict[str, calibration.Reliability]):
    """Accuracy over confidence for each named predictor, and where its answers lie, on a logarithmic scale."""
    with plotting.new_picture(10, 10) as picture:
        upper, lower = picture.subplots(2, 1, sharex=True, height_ratios=[3, 1])
        upper.plot([0, 1], [0, 1], "--", color="gray", label="as sure as right")
        for name, reliability in predictors.items():
            upper.plot(reliability.confidence, reliability.accuracy, "o-", label=name)
            edges = np.linspace(0, 1, len(reliability.count) + 1)
            lower.stairs(reliability.count, edges, linewidth=2.5)
        upper.set(ylabel="accuracy", title="Is it as often right as it is sure?", xlim=(0, 1), ylim=(0, 1))
        upper.legend()
        lower.set(xlabel="confidence: the answer's probability", ylabel="test images", yscale="log")
    return picture


def draw_confusion(answers: np.ndarray, labels: np.ndarray, name: str = "MNIST"):
    """How often each digit [N] got each answer [N]; the shades are those of the mistakes."""
    counts = np.zeros((10, 10), int)
    np.add.at(counts, (labels, answers), 1)
    mistakes = np.where(np.eye(10), 0, counts)
    with plotting.new_picture(10, 10) as picture:
        axes = picture.add_subplot()
        axes.imshow(mistakes, cmap="Reds", vmax=1.5 * mistakes.max())
        for label, answer in np.ndindex(10, 10):
            color = "tab:green" if label == answer else "black"
            axes.text(answer, label, counts[label, answer] or "", ha="center", va="center", color=color)
        axes.set(xlabel="answer", ylabel="digit", xticks=range(10), yticks=range(10))
        axes.set_title(f"{mistakes.sum()} of {counts.sum():,} test images of {name} mistaken")
    return picture
