"""The picture of studies/amortization.py: the shares of the gap, and what refitting parts of Q(z|x) gains."""

from lecture10_vae.utils import plotting

SHARES = {
    "optimization": "gone after more steps",
    "width": "gone with 400 units",
    "generalization": "gone on training images",
    "rest": "left with all three",
    "approximation": "the best Gaussian's",
}
REFITTED = {"stddevs": "only its stddevs", "means": "only its means", "both": "both"}


def draw(numbers: dict):
    """The gap on test images from the encoder's down to that of the best Gaussian, and what refitting each image gains.

    Args:
        numbers: "shares" and the part "test", each number with mean and stddev over seeds.
    """
    with plotting.new_picture(*plotting.SCREEN) as picture:
        upper, lower = picture.subplots(2, 1, sharex=True, height_ratios=[len(SHARES), len(REFITTED)])
        end = 0.0
        for name, label in reversed(SHARES.items()):
            share = numbers["shares"][f"{name}_nats"]
            draw_bar(upper, label, share, plotting.ORANGE if name == "approximation" else plotting.LIGHT_BLUE, end)
            end += share["mean"]
        for name, label in reversed(REFITTED.items()):
            draw_bar(lower, label, numbers["test"]["gained_by_refitting"][f"{name}_nats"], plotting.BLUE)
        upper.set(title="What the encoder's gap is made of", xlim=(0, 1.35 * end))
        lower.set(title="What an image wins by a Q(z) of its own", xlabel="nats per test image")
    return picture


def draw_bar(axes, label: str, spread: dict, color: str, start: float = 0.0) -> None:
    """A bar with its mean and stddev in words."""
    mean, stddev = spread["mean"], spread["stddev"]
    bars = axes.barh([label], [mean], left=start, color=color, xerr=stddev, error_kw={"capsize": 6})
    axes.bar_label(bars, [f" {mean:.2f} ± {stddev:.2f}"], padding=4)
