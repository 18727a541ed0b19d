"""The picture of studies/mean_field.py: the exact posterior of two weights, and both Gaussians beside it."""

import numpy as np

from lecture10_vae.studies import evidence, mean_field
from lecture10_vae.utils import mnist, plotting

GAUSSIANS = {  # name, colour, dash and hatching
    "mean_field": ("diagonal Q", plotting.ORANGE, "--", plotting.HATCH),
    "full_covariance": ("Q of any covariance", plotting.BLUE, "-", ""),
}


def draw(numbers: dict):
    """The posterior with seed 0, and the stddevs of weights, sum and difference as ratios to the exact, over seeds.

    Args:
        numbers: what `studies.mean_field.measure` returns, each with mean, stddev and values over the seeds.
    """
    with plotting.new_picture(16, 9) as picture:
        left, right = picture.subplots(1, 2)
        draw_posterior(left, numbers)
        draw_ratios(right, numbers)
        left.legend(loc="lower left")
    return picture


def draw_posterior(axes, numbers: dict) -> None:
    """The regions of the exact posterior of the first seed's images, and the half-mass lines of its two Gaussians."""
    inputs, labels = mean_field.two_pixels(mnist.load("train"), seed=0)
    mean = np.array(numbers["exact"]["weight_mean"]["values"][0])
    weights = mean + evidence.code_grid(points=201, half_width=2.0)[0]
    plotting.fill_posterior(axes, weights, mean_field.log_joint(weights, inputs, labels))
    for name, (label, color, dash, _) in GAUSSIANS.items():
        of_seed = {key: np.array(numbers[name][key]["values"][0]) for key in ("weight_mean", "weight_stddev")}
        correlation = numbers[name]["correlation"]["values"][0]
        covariance = np.outer(*[of_seed["weight_stddev"]] * 2) * [[1, correlation], [correlation, 1]]
        axes.plot(*plotting.half_mass_ellipse(of_seed["weight_mean"], covariance), dash, color=color, label=label)
    axes.set(xlabel="weight of the upper pixel", ylabel="weight of the lower pixel", aspect="equal")
    axes.set(xlim=mean[0] + np.array([-1.4, 1.4]), ylim=mean[1] + np.array([-1.4, 1.4]))
    axes.set_title("Posterior (50, 90, 99 % of its mass)\nand the half-mass lines of Q")


def draw_ratios(axes, numbers: dict) -> None:
    """Bars with the stddevs over seeds, and the closed form for the weights."""
    places = np.arange(4)
    for shift, (name, (_, color, _, hatch)) in zip((-0.2, 0.2), GAUSSIANS.items(), strict=True):
        of_seeds = [np.array(numbers[name]["ratio"]["values"])]
        for key in ("sum_stddev", "difference_stddev"):
            ratio = np.divide(numbers[name][key]["values"], numbers["exact"][key]["values"])
            of_seeds.append(ratio[:, np.newaxis])
        ratios = np.hstack(of_seeds)  # [seeds, 4]
        style = {"color": color, "hatch": hatch, "edgecolor": "white", "capsize": 8}
        axes.bar(places + shift, ratios.mean(axis=0), 0.36, yerr=ratios.std(axis=0, ddof=1), **style)
    axes.axhline(1, color=plotting.EXACT)
    predicted = numbers["predicted_ratio"]["mean"]
    axes.plot([-0.45, 1.45], [predicted] * 2, ":", color=plotting.EXACT)
    axes.set_xticks(places, ["upper", "lower", "sum", "difference"])
    axes.set(ylabel="stddev / exact stddev", ylim=(0, None))
    axes.set_title("Stddevs over seeds; dotted, of the\nweights' correlation r, $\\sqrt{1 - r^2}$")
