"""The pictures of beyond/cremer.py: the two gaps beside the paper's, and estimates of ln P(x) image by image."""

from pathlib import Path

import numpy as np

from lecture10_vae.studies.suboptimality import PAPER, Measured
from lecture10_vae.utils import plotting


def draw(measured: Measured, numbers: dict, folder: Path) -> None:
    """gaps.png and estimates.png."""
    plotting.save(draw_gaps(numbers), folder / "gaps.png")
    plotting.save(draw_estimates(measured), folder / "estimates.png")


def draw_gaps(numbers: dict):
    """The inference gap as a stacked bar, with the standard error over images; the paper's beside it."""
    paper = (PAPER["log_likelihood"] - PAPER["best_elbo"], PAPER["best_elbo"] - PAPER["encoder_elbo"])
    ours = [numbers[f"{name}_nats"] for name in ("approximation_gap", "amortization_gap")]
    errors = [numbers[f"{name}_standard_error_nats"] for name in ("approximation_gap", "amortization_gap")]
    names = [f"here, {numbers['images']:,} test images", "Cremer et al. 2018, about"]
    with plotting.new_picture(*plotting.SCREEN) as picture:
        axes = picture.add_subplot()
        lower, upper = (np.array(pair) for pair in zip(ours, paper, strict=True))
        axes.bar(
            names, lower, 0.5, color=plotting.LIGHT_BLUE, label="approximation gap: no diagonal Gaussian is P(z|x)"
        )
        axes.bar(
            names, upper, 0.5, lower, color=plotting.LIGHT_ORANGE, hatch=plotting.HATCH, edgecolor=plotting.ORANGE,
            label="amortization gap: the encoder's is not the best one",
        )  # fmt: skip
        for place, pair in enumerate(zip(lower, upper, strict=True)):
            spread = [f" ± {error:.2f}" if place == 0 else "" for error in errors]
            for height, value, text in zip((pair[0] / 2, pair[0] + pair[1] / 2), pair, spread, strict=True):
                box = {"facecolor": "white", "edgecolor": "none", "alpha": 0.85}
                axes.text(place, height, f"{value:.2f}{text}", ha="center", va="center", bbox=box)
        axes.set(ylabel="nats per image", title="How far the encoder's bound is below ln P(x) (± standard error)")
        axes.set(xlim=(-0.7, 1.7), ylim=(0, 1.3 * (lower + upper).max()))
        axes.legend(loc="upper center")
    return picture


def draw_estimates(measured: Measured):
    """Three other estimates of each image's ln P(x), less AIS from the best Gaussian on."""
    encoder, best, annealed, from_prior, _ = measured
    panels = (
        ("IS by the encoder", encoder, plotting.BLUE, "o"),
        ("IS by the best Gaussian", best, plotting.ORANGE, "s"),
        ("AIS from the prior", from_prior, plotting.EXACT, "^"),
    )
    with plotting.new_picture(*plotting.SCREEN) as picture:
        grid = picture.subplots(1, 3, sharex=True, sharey=True)
        for axes, (title, estimate, color, marker) in zip(grid, panels, strict=True):
            count = len(estimate.log_likelihood)
            exact = annealed.log_likelihood[:count]
            error = np.hypot(estimate.error, annealed.error[:count])
            difference = estimate.log_likelihood - exact
            style = {"color": color, "marker": marker, "linestyle": "", "elinewidth": 1, "alpha": 0.6, "markersize": 6}
            axes.errorbar(exact, difference, error, **style)
            axes.axhline(0, color=plotting.GRAY, linewidth=2)
            axes.set_title(f"{title}\nmean {difference.mean():+.2f}, {count:,} images")
            axes.locator_params(axis="x", nbins=4)
        picture.supxlabel("ln P(x) of each image by AIS from the best Gaussian, in nats", fontsize="medium")
        grid[0].set_ylabel("nats above that, and standard error")
    return picture
