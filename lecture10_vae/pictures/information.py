"""The picture of studies/information.py: the two parts of the mean divergence, by epoch."""

import numpy as np

from lecture10_vae.utils import plotting


def draw(numbers: dict):
    """A bar an epoch: I(x;z) with KL[Q(z) || P(z)] on it, mean over seeds, and the stddev of their sum.

    Args:
        numbers: the epochs, and of "test" the parts, lists by epoch, mean and stddev over seeds.
    """
    names = [str(round(epoch)) for epoch in numbers["epochs"]["mean"]]
    information, aggregate, total = (
        numbers["test"][name] for name in ("mutual_information_nats", "aggregate_kl_nats", "mean_kl_nats")
    )
    with plotting.new_picture(*plotting.SCREEN) as picture:
        axes = picture.add_subplot()
        low = axes.bar(
            names, information["mean"], color=plotting.BLUE, label="I(x; z): what the code tells of the image"
        )
        high = axes.bar(
            names,
            aggregate["mean"],
            bottom=information["mean"],
            color=plotting.LIGHT_ORANGE,
            hatch=plotting.HATCH,
            edgecolor="white",
            label="KL[Q(z) || P(z)]: how far all codes together are from the prior",
        )
        right = np.arange(len(names)) + 0.3  # beside the numbers
        axes.errorbar(right, total["mean"], total["stddev"], color="black", fmt="none", capsize=6)
        for bars, values in ((low, information["mean"]), (high, aggregate["mean"])):
            labels = [f"{value:.2f}" if value > 0.3 else "" for value in values]  # what there is room for
            axes.bar_label(bars, labels, label_type="center", color="white" if bars is low else "black")
        axes.set(xlabel="epoch", ylabel="mean KL[Q(z|x) || P(z)] in nats", ylim=(0, 1.3 * np.max(total["mean"])))
        axes.legend(loc="upper left")
    return picture
