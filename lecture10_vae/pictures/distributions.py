"""distributions.py's pictures: two Gaussians, and their divergence by more and more samples."""

from pathlib import Path

import numpy as np

from lecture10_vae.utils import plotting


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
    with plotting.new_picture(9, 9) as picture:
        axes = picture.add_subplot()
        for name, center, scale, color in [
            ("other", mean * 0, stddev * 0 + 1, "gray"),
            ("dist", mean, stddev, "tab:blue"),
        ]:
            x, y = ((axis - center[i]) / scale[i] for i in (first, second))
            # The lines that hold a half and nine tenths of the mass
            levels = np.sqrt(-2 * np.log(1 - np.array([0.5, 0.9])))
            axes.contour(axis, axis, np.hypot(x[np.newaxis, :], y[:, np.newaxis]), levels, colors=color)
            axes.plot([], color=color, label=f"{name}: half and nine tenths of its mass")
        axes.plot(samples[:, first], samples[:, second], ".", color="tab:orange", label="dist.sample()", zorder=1)
        axes.set(xlabel=f"output {first}", ylabel=f"output {second}", xlim=axis[[0, -1]], ylim=axis[[0, -1]])
        axes.legend(loc="upper left", fontsize=14)
    return picture


def draw_monte_carlo(counts: np.ndarray, means: np.ndarray, errors: np.ndarray, exact: float):
    """Estimates [M] by number of samples [M] closing in on the exact value, with two standard errors [M] each way."""
    with plotting.new_picture(11, 7) as picture:
        axes = picture.add_subplot()
        axes.axhline(exact, color="black", label="kl_divergence(dist, other)")
        axes.fill_between(counts, means - 2 * errors, means + 2 * errors, alpha=0.3, label="two standard errors")
        axes.plot(counts, means, "o-", label="mean log ratio of samples")
        axes.set(xscale="log", xlabel="samples", ylabel="nats")
        axes.legend()
    return picture
