"""The picture of studies/doubt.py: the mutual information on noise by epoch, and the doubt of three predictors."""

import numpy as np

from lecture10_vae.utils import plotting

IMAGES = {  # name, title, colour, marker
    "noise": ("noise everywhere", plotting.ORANGE, "s--"),
    "noise_on_inked": ("noise where digits have ink", plotting.BLUE, "o-"),
    "digits": ("test digits", plotting.EXACT, "^:"),
}
PREDICTORS = {"bayesian": "Bayesian", "ensemble": "five layers", "point_estimate": "one layer"}


def draw(numbers: dict):
    """By epoch the stddev of blank pixels' weights and the mutual information; at the end, the entropies' two parts.

    Args:
        numbers: what `studies.doubt.measure` returns by epoch and for each predictor, each with mean and stddev over
            the seeds.
    """
    with plotting.new_picture(16, 9) as picture:
        grid = picture.add_gridspec(2, 2, width_ratios=[1, 1.25])
        upper, lower, right = (picture.add_subplot(place) for place in (grid[0, 0], grid[1, 0], grid[:, 1]))
        draw_epochs(upper, lower, **numbers["by_epoch"])
        draw_entropies(right, numbers)
        picture.legend(*lower.get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return picture


def draw_epochs(upper, lower, epoch: dict, blank_stddev: dict, **images: dict) -> None:
    """The stddev of the weights of pixels without ink, and the mutual information on images of each kind."""
    epochs = epoch["mean"]
    upper.errorbar(epochs, blank_stddev["mean"], blank_stddev["stddev"], fmt="D-", color=plotting.GRAY, capsize=6)
    upper.axhline(1, color=plotting.GRAY, linestyle=":")
    upper.set(ylim=(0, 1.1), ylabel="stddev", title="Weights of pixels that no digit inks", xticks=epochs)
    for name, (title, color, line) in IMAGES.items():
        information = images[name]["mutual_information_nats"]
        mean, stddev = information["mean"], information["stddev"]
        lower.errorbar(epochs, mean, stddev, fmt=line, color=color, capsize=6, label=title)
    lower.set(ylim=(0, None), xlabel="epoch", ylabel="nats", title="Mutual information", xticks=epochs)


def draw_entropies(axes, numbers: dict) -> None:
    """Bars of the entropy's two parts, for each kind of images and each predictor."""
    places = np.arange(len(PREDICTORS))
    for shift, (name, (_, color, _)) in zip((-0.27, 0, 0.27), IMAGES.items(), strict=True):
        parts = ("expected_entropy_nats", "mutual_information_nats")
        open_by_draw, information = (
            np.array([numbers[predictor][name][part]["mean"] for predictor in PREDICTORS]) for part in parts
        )
        axes.bar(places + shift, open_by_draw, 0.25, color=color, alpha=0.35)
        axes.bar(places + shift, information, 0.25, open_by_draw, color=color, hatch=plotting.HATCH, edgecolor="white")
    axes.axhline(np.log(10), color=plotting.GRAY, linestyle=":")
    axes.annotate("no idea: ln 10", (2.4, np.log(10)), ha="right", va="bottom", fontsize="small")
    axes.set_xticks(places, PREDICTORS.values())
    axes.set(ylabel="entropy in nats", title="At the end: entropy, of it hatched\nwhat the draws disagree about")
