"""The papers' pictures: each script's are drawn from numbers, and written into its folder."""

from pathlib import Path

from lecture10_vae.beyond.suboptimality import Measured
from lecture10_vae.utils import plotting
from lecture10_vae.utils.run import read_curves

import numpy as np

PARTS = (("train", "training images", plotting.ORANGE, "s"), ("test", "test images", plotting.BLUE, "o"))
LOWEST, HIGHEST = -170, -90  # nats, of aevb.py's bounds; the paper's figure has -150 to -100
STYLES = {  # of bayes_by_backprop.py's variants: label, colour, dash and face
    "gaussian": ("Bayes, Gaussian prior", plotting.BLUE, "o-", plotting.BLUE),
    "mixture": ("Bayes, mixture prior", plotting.BLUE, "D--", "white"),
    "dropout": ("dropout", plotting.ORANGE, "s-", plotting.ORANGE),
    "sgd": ("plain SGD", plotting.ORANGE, "^:", "white"),
}
SHORT_STYLES = {
    "short_local": ("local draws", plotting.BLUE, "o-", plotting.BLUE),
    "short_flipout": ("flipout", plotting.ORANGE, "s-", plotting.ORANGE),
    "short_shared": ("shared draw (slide 28)", plotting.ORANGE, "^:", "white"),
    "short_narrow": ("local, initial stddev 0.002", plotting.GRAY, "v-", plotting.GRAY),
    "short_wide": ("local, initial stddev 0.1", plotting.GRAY, "D--", "white"),
}
PRUNED = {  # label, marker and whether it is filled
    "gaussian": ("Gaussian prior", "o", True),
    "mixture": ("mixture prior", "D", False),
    "gaussian_adam": ("Gaussian prior, Adam", "^", True),
}
DRAWS = {"shared": "shared draw\n(slide 28)", "flipout": "flipout", "local": "local"}


def draw_iwae(samples: np.ndarray, bound: str, folder: Path) -> None:
    """iwae.py's results.png: the bound by epoch, and images [40, 28, 28] of codes from the prior."""
    with plotting.new_picture(*plotting.SCREEN) as picture:
        left, right = picture.subplots(1, 2)
        for part, label, color, marker in PARTS:
            left.plot(*zip(*read_curves(folder / part)[bound][1:], strict=True), f"{marker}-", color=color, label=label)
        left.set(title="The bound that is trained", xlabel="epoch", ylabel="nats per image", xscale="log")
        left.legend(loc="lower right")
        plotting.show_images(right, samples, columns=8)
        right.set_title("Images of codes from the prior")
        plotting.save(picture, folder / "pictures" / "results.png")


def draw_bounds(numbers: dict[int, dict]):
    """Figure 2 of Kingma and Welling 2014: a panel for each size of the code, the bound on training and test images."""
    from matplotlib.ticker import LogLocator, NullFormatter

    with plotting.new_picture(*plotting.SCREEN) as picture:
        panels = picture.subplots(2, -(-len(numbers) // 2), sharex=True, sharey=True).ravel()
        for axes, (code_size, of_size) in zip(panels, numbers.items(), strict=False):
            for part, label, color, marker in PARTS:
                points = of_size["images_seen"][1:], of_size["curves"][f"{part}_elbo_nats"][1:]
                axes.plot(*points, color=color, marker=marker, markersize=6, label=label)
            axes.set(xscale="log", ylim=(LOWEST, HIGHEST), xlabel="training images seen")
            axes.set_title(f"{code_size} code dimensions")
            axes.xaxis.set_major_locator(LogLocator())
            axes.xaxis.set_minor_formatter(NullFormatter())
            axes.grid(alpha=0.4)
            axes.label_outer()
        picture.supylabel("bound in nats per image", fontsize="medium")
        panels[0].legend(loc="upper left")
    return picture


def draw_divergences(numbers: dict[int, dict]):
    """KL[Q(z_i|x) || P(z_i)] of each code dimension i, the largest first, mean over test images; a line a size."""
    styles = [(plotting.GRAY, "v"), (plotting.LIGHT_ORANGE, "D"), (plotting.LIGHT_BLUE, "^")]
    styles += [(plotting.EXACT, "x"), (plotting.ORANGE, "s"), (plotting.BLUE, "o")]
    with plotting.new_picture(*plotting.SCREEN) as picture:
        axes = picture.add_subplot()
        for (color, marker), (code_size, of_size) in zip(styles, numbers.items(), strict=False):
            divergences = of_size["kl_by_dimension_nats"]
            places = np.arange(1, len(divergences) + 1)
            axes.plot(places, divergences, color=color, marker=marker, label=f"{code_size} dimensions")
        axes.set(xlabel="code dimension, the largest divergence first", ylabel="KL in nats per test image")
        axes.set_xscale("log")
        axes.set_xticks([1, 10, 100], ["1", "10", "100"])
        axes.legend(loc="upper right")
    return picture


def draw_curve(numbers: dict[float, dict]):
    """Distortion by rate of each beta on test images, mean and stddev over seeds, on lines of one bound each."""
    last = {
        name: {part: np.array([of_beta[name][part][-1] for of_beta in numbers.values()]) for part in ("mean", "stddev")}
        for name in ("kl", "reconstruction")
    }
    rates, distortions = last["kl"]["mean"], -last["reconstruction"]["mean"]
    with plotting.new_picture(*plotting.SCREEN) as picture:
        axes = picture.add_subplot()
        style = {"color": plotting.BLUE, "marker": "o", "capsize": 6}
        axes.errorbar(rates, distortions, last["reconstruction"]["stddev"], last["kl"]["stddev"], **style)
        for beta, rate, distortion in zip(numbers, rates, distortions, strict=True):
            place = {"textcoords": "offset points", "xytext": (16, 14)}
            axes.annotate(f"beta = {beta:g}", (rate, distortion), color=plotting.BLUE, **place)
        axes.set_xlim(rates.min() - 0.6, rates.max() + 1.2)
        axes.set_ylim(distortions.min() - 3, distortions.max() + 3)
        (left, right), (low, high) = axes.get_xlim(), axes.get_ylim()
        for total in np.arange(2 * np.ceil((left + low) / 2), right + high, 2):  # of one bound each
            axes.plot([left, right], [total - left, total - right], ":", color=plotting.GRAY, linewidth=1.5, zorder=0)
            if low <= total - right <= high:
                axes.text(right, total - right, f" {-total:.0f}", color=plotting.GRAY, va="center")
        axes.text(1, 1.01, "bound", color=plotting.GRAY, transform=axes.transAxes, va="bottom", ha="left")
        axes.set(xlim=(left, right), ylim=(low, high))
        axes.set(xlabel="rate: KL in nats per test image", ylabel="distortion: -reconstruction in nats")
    return picture


def draw_warm_up(numbers: dict[str, dict], warm_up: int, code_size: int):
    """The dimensions in use, by both counts, and the bound, by epoch, with and without a warm-up of so many epochs."""
    with plotting.new_picture(*plotting.SCREEN) as picture:
        panels = picture.subplots(1, 3)
        for name, label, color, marker in (
            ("no_warm_up", "beta = 1", plotting.BLUE, "o"),
            ("warm_up", f"beta from 0 to 1 over {warm_up} epochs", plotting.ORANGE, "s"),
        ):
            epochs = numbers[name]["epoch"]["mean"][1:]
            for axes, number in zip(panels, ("active_units", "dimensions_in_use", "elbo"), strict=True):
                mean, stddev = (np.array(numbers[name][number][part])[1:] for part in ("mean", "stddev"))
                axes.plot(epochs, mean, color=color, marker=marker, markevery=5, label=label)
                axes.fill_between(epochs, mean - stddev, mean + stddev, color=color, alpha=0.25)
        count = {"ylim": (0, code_size + 1)}
        panels[0].set(title="Variance of mean > 0.01", ylabel=f"of {code_size} code dimensions", **count)
        panels[1].set(title="KL > 0.1 nats", **count)
        best = max(max(numbers[name]["elbo"]["mean"]) for name in ("no_warm_up", "warm_up"))
        panels[2].set(title="Bound", ylabel="nats per test image", ylim=(best - 20, best + 1))
        for axes in panels:
            axes.set_xlabel("epoch")
        picture.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return picture


def draw_cremer(measured: Measured, numbers: dict, folder: Path) -> None:
    """cremer.py's gaps.png and estimates.png."""
    plotting.save(draw_gaps(numbers), folder / "pictures" / "gaps.png")
    plotting.save(draw_estimates(measured), folder / "pictures" / "estimates.png")


def draw_gaps(numbers: dict):
    """The inference gap as a stacked bar, with the standard errors over images."""
    names = {
        "approximation_gap": "approximation gap: no diagonal Gaussian is P(z|x)",
        "amortization_gap": "amortization gap: the encoder's is not the best one",
    }
    styles = [{"color": plotting.LIGHT_BLUE}, {"color": plotting.LIGHT_ORANGE, "hatch": plotting.HATCH}]
    with plotting.new_picture(*plotting.SCREEN) as picture:
        axes = picture.add_subplot()
        left = 0
        for (name, label), style in zip(names.items(), styles, strict=True):
            width, error = numbers[f"{name}_nats"], numbers[f"{name}_standard_error_nats"]
            axes.barh(0, width, 0.5, left, label=label, **style)
            box = {"facecolor": "white", "edgecolor": "none", "alpha": 0.85}
            axes.text(left + width / 2, 0, f"{width:.2f} ± {error:.2f}", ha="center", va="center", bbox=box)
            left += width
        axes.set(xlabel="nats per image", yticks=[], ylim=(-0.6, 1.2))
        axes.set_title(f"How far the encoder's bound is below ln P(x), {numbers['images']:,} images (± standard error)")
        axes.legend(loc="upper center")
    return picture


def draw_estimates(measured: Measured):
    """Three other estimates of each image's ln P(x), less AIS from the best Gaussian on."""
    encoder, best, annealed, from_prior, *_ = measured
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


def draw_epochs(curves: dict[str, list[tuple[int, float]]]):
    """The error on test images by the mean weights, from epoch 1 on: of table 1's rows, and of the shorter runs."""
    with plotting.new_picture(*plotting.SCREEN) as picture:
        left, right = picture.subplots(1, 2)
        for axes, styles in ((left, STYLES), (right, SHORT_STYLES)):
            for name, (label, color, dash, face) in styles.items():
                if name in curves:
                    epochs, errors = zip(*curves[name][1:], strict=True)
                    style = {"markerfacecolor": face, "markevery": max(1, len(epochs) // 10)}
                    axes.plot(epochs, errors, dash, color=color, label=label, **style)
            axes.set(xlabel="epoch")
            axes.locator_params(axis="x", integer=True)
            axes.grid(alpha=0.3)
        left.set(title="Error of the mean weights", ylabel="% of test images", ylim=(1, 4))
        right.set(title="Gaussian prior, shorter runs", ylim=(1, 8))
        for axes in (left, right):
            if axes.lines:
                axes.legend()
    return picture


def draw_gradients(gradients: dict[str, dict]):
    """Bars on a logarithmic axis: the variance of the gradient for each way to draw the weights."""
    titles = {"untrained": "before training", "trained": "after training"}
    with plotting.new_picture(*plotting.SCREEN) as picture:
        panels = picture.subplots(1, 2, sharey=True)
        for axes, (state, title) in zip(panels, titles.items(), strict=True):
            for shift, parameter, face, edge, hatch in (
                (-0.2, "means", plotting.BLUE, plotting.BLUE, ""),
                (0.2, "stddevs", plotting.LIGHT_ORANGE, plotting.ORANGE, plotting.HATCH),
            ):
                values = [gradients[state][name][f"by_{parameter}_variance"] for name in DRAWS]
                places = np.arange(len(DRAWS)) + shift
                style = {"facecolor": face, "edgecolor": edge, "hatch": hatch}
                bars = axes.bar(places, values, 0.38, label=f"by the {parameter}", **style)
                axes.bar_label(bars, fmt="%.2g", fontsize="small")
            axes.set(title=title, yscale="log")
            axes.margins(y=0.1)
            axes.set_xticks(range(len(DRAWS)), DRAWS.values())
        panels[0].set(ylabel="variance over draws, sum over weights")
        panels[0].legend()
    return picture


def draw_pruning(pruning: dict[str, dict]):
    """The test error of the mean weights over the share of them kept, for each network and way to choose them."""
    ways = {
        "by_signal_to_noise_mean_weights": ("|mean| / stddev", "-", plotting.BLUE),
        "by_mean": ("|mean|", ":", plotting.ORANGE),
    }
    with plotting.new_picture(*plotting.SCREEN) as picture:
        axes = picture.add_subplot()
        for name, numbers in pruning.items():
            network, marker, filled = PRUNED[name]
            for way, (label, dash, color) in ways.items():
                face = color if filled else "white"
                style = {"color": color, "marker": marker, "markerfacecolor": face, "linestyle": dash}
                axes.plot(numbers["kept"], numbers[way], label=f"{network}, largest {label}", **style)
        kept = next(iter(pruning.values()))["kept"]
        axes.set(xlabel="weights kept; the others are set to zero", ylabel="test error of the mean weights, %")
        axes.set(xscale="log", yscale="log")
        axes.set_xticks(kept, [f"{share:.0%}" for share in kept])
        axes.set_xticks([], minor=True)
        axes.set_yticks([1, 2, 5, 10, 20, 50, 90], ["1", "2", "5", "10", "20", "50", "90"])
        axes.set_yticks([], minor=True)
        axes.set_title("How many weights of a Bayesian network can go")
        axes.grid(alpha=0.3)
        axes.legend()
    return picture
