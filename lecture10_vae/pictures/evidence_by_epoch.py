"""The picture of studies/evidence_by_epoch.py: ln P(x) and the bound by epoch, and the gap between them."""

import numpy as np

from lecture10_vae.utils import plotting


def draw(numbers: dict):
    """ln P(x) and the bound on test images, and the gap on both sets, mean and stddev over seeds, from epoch 1 on.

    Args:
        numbers: of the parts "train" and "test", each with mean and stddev, lists by epoch; and the epochs.
    """
    epochs = np.array(numbers["epochs"]["mean"])
    shown = epochs >= 1  # the untrained model's bound is 400 nats below
    with plotting.new_picture(*plotting.SCREEN) as picture:
        left, right = picture.subplots(1, 2)
        for name, label, color, marker in (
            ("log_likelihood_nats", "ln P(x)", plotting.EXACT, "^"),
            ("bound_nats", "bound", plotting.BLUE, "o"),
        ):
            _errorbar(left, epochs, numbers["test"][name], shown, label, color, marker)
        for part, label, color, marker in (
            ("test", "test images", plotting.BLUE, "o"),
            ("train", "training images", plotting.ORANGE, "s"),
        ):
            _errorbar(right, epochs, numbers[part]["gap_nats"], shown, label, color, marker)
        left.set(title="ln P(x) and the bound", xlabel="epoch", ylabel="nats per test image")
        right.set(title="The gap between them", xlabel="epoch", ylabel="ln P(x) - bound in nats")
        right.set_ylim(bottom=0)
        for axes in (left, right):
            axes.set_xticks(epochs[shown])
            axes.legend(loc="lower right")
    return picture


def _errorbar(axes, epochs, spread, shown, label, color, marker):
    mean, stddev = np.array(spread["mean"])[shown], np.array(spread["stddev"])[shown]
    axes.errorbar(epochs[shown], mean, stddev, color=color, marker=marker, capsize=6, label=label)
