"""The pictures of beyond/aevb.py: the bound by training images seen, and the divergence of each code dimension."""

import numpy as np

from lecture10_vae.utils import plotting

LOWEST, HIGHEST = -170, -90  # nats; the paper's figure has -150 to -100


def draw(numbers: dict[int, dict]):
    """Figure 2 of Kingma and Welling 2014: a panel for each size of the code, the bound on training and test images.

    Args:
        numbers: by size of the code, what `beyond.aevb.train_one` returns.
    """
    from matplotlib.ticker import LogLocator, NullFormatter

    with plotting.new_picture(*plotting.SCREEN) as picture:
        panels = picture.subplots(2, -(-len(numbers) // 2), sharex=True, sharey=True).ravel()
        for axes, (code_size, of_size) in zip(panels, numbers.items(), strict=False):
            seen = np.array(of_size["images_seen"])
            for part, label, color, marker in (
                ("train", "training images", plotting.ORANGE, "s"),
                ("test", "test images", plotting.BLUE, "o"),
            ):
                bounds = np.array(of_size["curves"][f"{part}_elbo_nats"])
                axes.plot(seen[seen > 0], bounds[seen > 0], color=color, marker=marker, markersize=6, label=label)
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
