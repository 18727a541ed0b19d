"""bayes_by_backprop.py's pictures: errors by epoch, the noise of gradients, and pruning."""

import numpy as np

from lecture10_vae.utils import plotting

STYLES = {  # label, colour, dash and face
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


def draw(histories: dict[str, list[dict]], gradients: dict, pruning: dict) -> dict[str, object]:
    """The pictures by name, of what there is.

    Args:
        histories: of each variant, what its history.json says.
        gradients: what `weight_noise.measure` returns, by the state of the network.
        pruning: what `pruning.measure_network` returns, by the variant.
    """
    pictures = {"epochs": draw_epochs(histories)}
    if gradients:
        pictures["gradients"] = draw_gradients(gradients)
    if pruning:
        pictures["pruning"] = draw_pruning(pruning)
    return pictures


def draw_epochs(histories: dict[str, list[dict]]):
    """The error on test images by the mean weights, from epoch 1 on: of table 1's rows, and of the shorter runs."""
    with plotting.new_picture(*plotting.SCREEN) as picture:
        left, right = picture.subplots(1, 2)
        for axes, styles in ((left, STYLES), (right, SHORT_STYLES)):
            for name, style in styles.items():
                _by_epoch(axes, histories.get(name, []), style)
            axes.set(xlabel="epoch")
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
    shown = [state for state in titles if state in gradients]
    with plotting.new_picture(*plotting.SCREEN) as picture:
        panels = picture.subplots(1, len(shown), sharey=True, squeeze=False)[0]
        for axes, state in zip(panels, shown, strict=True):
            for shift, parameter, face, edge, hatch in (
                (-0.2, "means", plotting.BLUE, plotting.BLUE, ""),
                (0.2, "stddevs", plotting.LIGHT_ORANGE, plotting.ORANGE, plotting.HATCH),
            ):
                values = [gradients[state][name][f"by_{parameter}_variance"] for name in DRAWS]
                places = np.arange(len(DRAWS)) + shift
                style = {"facecolor": face, "edgecolor": edge, "hatch": hatch}
                bars = axes.bar(places, values, 0.38, label=f"by the {parameter}", **style)
                axes.bar_label(bars, fmt="%.2g", fontsize="small")
            axes.set(title=titles[state], yscale="log")
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


def _by_epoch(axes, history: list[dict], style: tuple) -> None:
    label, color, dash, face = style
    shown = [entry for entry in history if entry["epoch"] > 0]
    if shown:
        epochs, errors = zip(*((entry["epoch"], entry["test"]["error_percent"]) for entry in shown), strict=True)
        every = max(1, len(epochs) // 10)
        axes.plot(epochs, errors, dash, color=color, markerfacecolor=face, markevery=every, label=label)
