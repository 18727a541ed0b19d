"""bayes_by_backprop.py's pictures: errors and bounds by epoch, the noise of gradients, and pruning."""

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
    "short_narrow": ("local, narrower start", plotting.GRAY, "v-", plotting.GRAY),
    "short_wide": ("local, wider start", plotting.GRAY, "D--", "white"),
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
    """The error on test images by the mean weights, and the bound on training images, from epoch 1 on."""
    with plotting.new_picture(*plotting.SCREEN) as picture:
        left, right = picture.subplots(1, 2)
        for name, style in STYLES.items():
            _by_epoch(left, histories.get(name, []), "test", "error_percent", style)
        for name, style in SHORT_STYLES.items():
            _by_epoch(right, histories.get(name, []), "train", "elbo", style)
        left.set(title="Error of the mean weights", xlabel="epoch", ylabel="% of test images", ylim=(1, 4))
        right.set(title="Bound, Gaussian prior", xlabel="epoch", ylabel="nats per training image", ylim=(-2, 0))
        for axes in (left, right):
            axes.grid(alpha=0.3)
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
    """The test error over the share of weights kept, for each prior and way to choose them."""
    ways = {
        "by_signal_to_noise": ("|mean| / stddev", "-", plotting.BLUE),
        "by_mean": ("|mean|", ":", plotting.ORANGE),
    }
    with plotting.new_picture(*plotting.SCREEN) as picture:
        axes = picture.add_subplot()
        for name, numbers in pruning.items():
            marker, face = ("o", None) if name == "gaussian" else ("D", "white")
            for way, (label, dash, color) in ways.items():
                style = {"color": color, "marker": marker, "markerfacecolor": face or color, "linestyle": dash}
                axes.plot(numbers["kept"], numbers[way], label=f"{name} prior, largest {label}", **style)
        kept = next(iter(pruning.values()))["kept"]
        axes.set(xscale="log", yscale="log", xlabel="weights kept; the others are set to zero", ylabel="test error, %")
        axes.set_xticks(kept, [f"{share:.0%}" for share in kept])
        axes.set_xticks([], minor=True)
        axes.set_yticks([1, 2, 5, 10, 20, 50, 90], ["1", "2", "5", "10", "20", "50", "90"])
        axes.set_yticks([], minor=True)
        axes.set_title("How many weights of a Bayesian network can go")
        axes.grid(alpha=0.3)
        axes.legend()
    return picture


def _by_epoch(axes, history: list[dict], part: str, number: str, style: tuple) -> None:
    label, color, dash, face = style
    shown = [entry for entry in history if entry["epoch"] > 0]
    if shown:
        values = [entry[part][number] for entry in shown]
        epochs = [entry["epoch"] for entry in shown]
        every = max(1, len(epochs) // 10)
        axes.plot(epochs, values, dash, color=color, markerfacecolor=face, markevery=every, label=label)
