"""The picture of studies/learned_stddev.py: log probability and accuracy with constant and with learned stddevs."""

from lecture10_vae.utils import plotting

ROWS = (  # network, its number, title, colour, marker
    ("constant", "log_prob_nats", "stddev 1 (slide 18)", plotting.GRAY, "^"),
    ("constant", "constant_log_prob_nats", "best constant stddev", plotting.BLUE, "o"),
    ("learned", "log_prob_nats", "learned, 0.2 or more\n(--learn-stddev)", plotting.ORANGE, "s"),
    ("learned_middle_floor", "log_prob_nats", "learned, 0.1 or more", plotting.ORANGE, "D"),
    ("learned_low_floor", "log_prob_nats", "learned, 0.05 or more", plotting.ORANGE, "v"),
)


def draw(numbers: dict):
    """A row for each stddev: the log probability of test labels, and the accuracy; mean and stddev over the seeds.

    Args:
        numbers: what `studies.learned_stddev.measure` returns for each network, each with mean and stddev.
    """
    with plotting.new_picture(16, 7) as picture:
        left, right = picture.subplots(1, 2, sharey=True)
        for row, (network, name, _, color, marker) in enumerate(ROWS):
            style = {"fmt": marker, "color": color, "markersize": 14, "capsize": 8}
            for axes, key, scale in ((left, name, 1), (right, "accuracy", 100)):
                spread = numbers[network][key]
                axes.errorbar(scale * spread["mean"], row, xerr=scale * spread["stddev"], **style)
        left.set_yticks(range(len(ROWS)), [title for _, _, title, _, _ in ROWS])
        left.set(ylim=(len(ROWS) - 0.5, -0.5), xlabel="nats", title="ln P(label|image), test")
        right.set(xlabel="%", title="accuracy, test")
        for axes in (left, right):
            axes.grid(axis="x", alpha=0.4)
            axes.locator_params(axis="x", nbins=5)
    return picture
