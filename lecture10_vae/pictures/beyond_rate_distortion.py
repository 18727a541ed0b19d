"""The pictures of beyond/rate_distortion.py: distortion by rate for each beta, and a code's dimensions by epoch."""

import numpy as np

from lecture10_vae.utils import plotting


def draw_curve(numbers: dict[float, dict]):
    """Distortion by rate of each beta on test images, mean and stddev over seeds, on lines of one bound each.

    Args:
        numbers: by beta, mean and stddev of "kl" and "reconstruction", lists by epoch, of which the last is shown.
    """
    rates, spread_of_rates = _last(numbers.values(), "kl")
    reconstructions, spread_of_distortions = _last(numbers.values(), "reconstruction")
    with plotting.new_picture(*plotting.SCREEN) as picture:
        axes = picture.add_subplot()
        style = {"color": plotting.BLUE, "marker": "o", "capsize": 6}
        axes.errorbar(rates, -reconstructions, spread_of_distortions, spread_of_rates, **style)
        for beta, rate, reconstruction in zip(numbers, rates, reconstructions, strict=True):
            place = {"textcoords": "offset points", "xytext": (16, 14)}
            axes.annotate(f"beta = {beta:g}", (rate, -reconstruction), color=plotting.BLUE, **place)
        axes.set_xlim(rates.min() - 0.6, rates.max() + 1.2)
        axes.set_ylim(-reconstructions.max() - 3, -reconstructions.min() + 3)
        _draw_bounds(axes)
        axes.set(xlabel="rate: KL in nats per test image", ylabel="distortion: -reconstruction in nats")
    return picture


def _draw_bounds(axes) -> None:
    """Lines of rate + distortion = -bound, every 2 nats, those that end at the right with their bound."""
    (left, right), (low, high) = axes.get_xlim(), axes.get_ylim()
    for total in np.arange(2 * np.ceil((left + low) / 2), right + high, 2):
        axes.plot([left, right], [total - left, total - right], ":", color=plotting.GRAY, linewidth=1.5, zorder=0)
        if low <= total - right <= high:
            axes.text(right, total - right, f" {-total:.0f}", color=plotting.GRAY, va="center")
    axes.set(xlim=(left, right), ylim=(low, high))
    axes.text(1, 1.01, "bound", color=plotting.GRAY, transform=axes.transAxes, va="bottom", ha="left")


def draw_warm_up(numbers: dict[str, dict], warm_up: int, code_size: int):
    """The dimensions in use, by both counts, and the bound, by epoch, with and without a warm-up.

    Args:
        numbers: "warm_up" and "no_warm_up", each with mean and stddev over seeds, lists by epoch.
        warm_up: the epochs over which beta rises.
        code_size: dimensions of the code.
    """
    with plotting.new_picture(*plotting.SCREEN) as picture:
        panels = picture.subplots(1, 3)
        for name, label, color, marker in (
            ("no_warm_up", "beta = 1", plotting.BLUE, "o"),
            ("warm_up", f"beta from 0 to 1 over {warm_up} epochs", plotting.ORANGE, "s"),
        ):
            epochs = np.array(numbers[name]["epoch"]["mean"])
            for axes, number in zip(panels, ("active_units", "dimensions_in_use", "elbo"), strict=True):
                mean, stddev = (np.array(numbers[name][number][part])[epochs >= 1] for part in ("mean", "stddev"))
                axes.plot(epochs[epochs >= 1], mean, color=color, marker=marker, markevery=5, label=label)
                axes.fill_between(epochs[epochs >= 1], mean - stddev, mean + stddev, color=color, alpha=0.25)
        panels[0].set(
            title="Variance of mean > 0.01", ylabel=f"of {code_size} code dimensions", ylim=(0, code_size + 1)
        )
        panels[1].set(title="KL > 0.1 nats", ylim=(0, code_size + 1))
        best = max(max(numbers[name]["elbo"]["mean"]) for name in ("no_warm_up", "warm_up"))
        panels[2].set(title="Bound", ylabel="nats per test image", ylim=(best - 20, best + 1))
        for axes in panels:
            axes.set_xlabel("epoch")
        picture.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return picture


def _last(spreads, number: str) -> tuple[np.ndarray, np.ndarray]:
    """Mean and stddev of a number after the last epoch, for each of the spreads."""
    spreads = [spread[number] for spread in spreads]
    return tuple(np.array([spread[part][-1] for spread in spreads]) for part in ("mean", "stddev"))
