"""distributions.py's pictures: two Gaussians, and their divergence by more and more samples."""

from pathlib import Path

from lecture10_vae.utils import plotting

import numpy as np


def draw(mean: np.ndarray, stddev: np.ndarray, samples: np.ndarray, estimates: tuple, folder: Path) -> None:
    """densities.png and divergence.png; arguments as for the two functions below, `estimates` being the second's."""
    plotting.save(draw_two_gaussians(mean, stddev, samples), folder / "densities.png")
    plotting.save(draw_monte_carlo(*estimates), folder / "divergence.png")


def draw_two_gaussians(mean: np.ndarray, stddev: np.ndarray, samples: np.ndarray):
    """A Gaussian of mean and stddev [10] beside a standard normal, in the two dimensions of its largest means.

    Samples [N, 10] of the former lie over both.
    """
    first, second = np.sort(np.argsort(np.abs(mean))[-2:])
    axis = np.linspace(-3.5, 3.5, 200)
    with plotting.new_picture(*plotting.SCREEN) as picture:
        axes = picture.add_subplot(aspect="equal")
        for name, center, scale, color, style in [
            ("other", mean * 0, stddev * 0 + 1, plotting.ORANGE, "dashed"),
            ("dist", mean, stddev, plotting.BLUE, "solid"),
        ]:
            x, y = ((axis - center[i]) / scale[i] for i in (first, second))
            # The lines that hold a half and nine tenths of the mass
            levels = np.sqrt(-2 * np.log(1 - np.array([0.5, 0.9])))
            distance = np.hypot(x[np.newaxis, :], y[:, np.newaxis])
            axes.contour(axis, axis, distance, levels, colors=color, linestyles=style)
            axes.plot([], color=color, linestyle=style, label=f"{name}: half and nine\ntenths of its mass")
        samples = samples[:, [first, second]]
        axes.plot(*samples.T, ".", color=plotting.GRAY, label=f"dist.sample(),\n{len(samples)} times", zorder=1)
        axes.set(xlabel=f"output {first}", ylabel=f"output {second}", xlim=axis[[0, -1]], ylim=axis[[0, -1]])
        axes.set_title("Two of the ten outputs for one image")
        picture.legend(loc="outside right center", frameon=False, labelspacing=1)
    return picture


def draw_monte_carlo(counts: np.ndarray, means: np.ndarray, errors: np.ndarray, exact: float):
    """Estimates [M] by number of samples [M] closing in on the exact value, with two standard errors [M] each way."""
    with plotting.new_picture(*plotting.SCREEN) as picture:
        axes = picture.add_subplot()
        axes.axhline(exact, color=plotting.EXACT, linestyle="dashed", label="kl_divergence(dist, other)")
        axes.fill_between(
            counts, means - 2 * errors, means + 2 * errors, color=plotting.LIGHT_BLUE, label="two standard errors"
        )
        axes.plot(counts, means, "o-", label="mean log ratio of samples")
        axes.set(xscale="log", xlabel="samples", ylabel="nats")
        axes.xaxis.set_major_formatter("{x:,.0f}")
        off = (means[-1] - exact) / errors[-1]
        axes.set_title(f"By {counts[-1]:,} samples the divergence is {off:+.1f} standard errors off")
        axes.legend(frameon=False)
    return picture
