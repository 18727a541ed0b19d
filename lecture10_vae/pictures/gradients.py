"""The picture of studies/gradients.py: how noisy each estimate of the gradient is, and each form of the bound."""

import numpy as np

from lecture10_vae.utils import plotting

PLACES = {"start": "Q far off", "best": "best Q"}
ESTIMATES = {  # name, colour, marker and face
    "score": ("score function", plotting.ORANGE, "s", plotting.ORANGE),
    "score_with_baseline": ("the same with a baseline", plotting.ORANGE, "D", "white"),
    "path": ("path, last form (lower_bound.py)", plotting.BLUE, "o", plotting.BLUE),
    "path_of_first_form": ("path, first form", plotting.BLUE, "v", "white"),
    "path_without_score": ("the same without the score term", plotting.BLUE, "^", plotting.BLUE),
}
FORMS = ("1st", "2nd", "3rd")
PARAMETERS = ("mean 1", "mean 2", "stddev 1", "stddev 2")


def draw(numbers: dict):
    """Stddevs of single-sample gradients by parameter, and of single-sample bounds by form, at both places.

    Args:
        numbers: what `studies.gradients.measure` returns of each family, with mean and stddev over seeds.
    """
    numbers = numbers["mean_field"]
    with plotting.new_picture(16, 9) as picture:
        *panels, last = picture.subplots(1, 3, sharey=True, width_ratios=[4, 4, 3])
        for axes, (place, title) in zip(panels, PLACES.items(), strict=True):
            draw_gradients(axes, numbers[place])
            axes.set(yscale="log", title=f"gradient, {title}")
        panels[0].set(ylabel="stddev of one sample")
        panels[0].set_yticks([1, 10, 100], ["1", "10", "100"])
        for place, title in PLACES.items():
            stddevs = np.sqrt(numbers[place]["form_variance"]["mean"])
            last.plot(range(3), stddevs, "o:", color=plotting.EXACT, markersize=14)
            last.annotate(title, (1, 1.25 * stddevs[1]), ha="center", va="bottom")
        last.set_xticks(range(3), FORMS)
        last.set(xlim=(-0.5, 2.5), title="value, by form", xlabel="form of slide 6")
        picture.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return picture


def draw_gradients(axes, numbers: dict) -> None:
    """A sign for each estimate's stddev, side by side for each parameter."""
    shifts = np.linspace(-0.24, 0.24, len(ESTIMATES))
    for shift, (name, (label, color, marker, face)) in zip(shifts, ESTIMATES.items(), strict=True):
        stddevs = np.sqrt(numbers[f"{name}_variance"]["mean"])
        style = {"color": color, "marker": marker, "markerfacecolor": face, "markersize": 14, "markeredgewidth": 3}
        axes.plot(np.arange(4) + shift, stddevs, linestyle="", label=label, **style)
    axes.set_xticks(range(4), [name.replace(" ", "\n") for name in PARAMETERS], fontsize="small")
    axes.grid(axis="y", alpha=0.4)
