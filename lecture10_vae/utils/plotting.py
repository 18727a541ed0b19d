"""Pictures, large and plain enough for a projector: their style, and what several of them are made of.

A picture fills a projector's screen, 16 by 9 inches, or is shown smaller; at full screen its text is of 22 points, its
titles of 24. Colours have roles, and blue and orange stay apart for the colour-blind; where two things must be told
apart, a second sign says so too: a marker, a dash, hatching.

A picture is a matplotlib figure. Matplotlib takes half a second to load, and so is loaded by the first picture.
"""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np

SCREEN = (16, 9)  # inches, with dots enough for 1920 by 1080
BLUE, LIGHT_BLUE = "#0b5fa5", "#9ecae8"  # what the lecture's own method does; the right answer
ORANGE, LIGHT_ORANGE = "#d95f02", "#fdc28a"  # what it is compared with, what is missing; the wrong answer
EXACT = "black"  # what is known exactly
GRAY, LIGHT_GRAY = "#767676", "#b5b5b5"  # what is beside the point
HATCH = "//"  # of orange areas
POSTERIOR = ["#ebebeb", "#d4d4d4", LIGHT_GRAY]  # exact posteriors: 99, 90 and 50 percent of their mass
INK = "gray_r"  # ink on paper: black digits on white, so that a projector shows them
DIGIT_COLORS = [  # ten that stay apart for the colour-blind, too, most of all where digits are alike
    "#1a83f9", "#ffb200", "#2d02fb", "#003a46", "#66008e", "#ebb599", "#fd2ca5", "#561f06", "#e74c2f", "#0bd2fb",
]  # fmt: skip


@contextlib.contextmanager
def new_picture(width: float, height: float, layout: str | None = "constrained") -> Iterator:
    """An empty picture, of so many inches, and the lecture's style for what is drawn into it.

    Text is given in proportion to the picture, so that each picture shown full screen has text of the same size.
    """
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context(style(max(width / SCREEN[0], height / SCREEN[1]))):
        yield Figure(figsize=(width, height), layout=layout)


def style(scale: float) -> dict[str, object]:
    """Matplotlib's parameters for a picture that is so much of a screen."""
    from cycler import cycler

    return {
        "font.size": 22 * scale,
        "axes.titlesize": 24 * scale,
        "figure.titlesize": 24 * scale,
        "legend.fontsize": 22 * scale,
        "axes.prop_cycle": cycler(color=[BLUE, ORANGE, EXACT, GRAY, LIGHT_BLUE, LIGHT_ORANGE]),
        "axes.spines.top": False,
        "axes.spines.right": False,
        "lines.linewidth": 3.5 * scale,
        "lines.markersize": 10 * scale,
        "hatch.linewidth": 2 * scale,
        "xtick.major.pad": 10 * scale,  # so that the labels in the corner, of both axes, stay apart
    }


def save(picture, path: Path) -> None:
    """Writes the picture as PNG, 120 dots an inch, and makes its folder where there is none."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    if isinstance(path, Path):  # and no file in memory
        path.parent.mkdir(parents=True, exist_ok=True)
    picture.set_dpi(120)
    # Not by savefig, which draws it twice; level 3 takes half the time of the default, for a file hardly larger
    FigureCanvasAgg(picture).print_png(path, pil_kwargs={"compress_level": 3})


def colors(name: str, places: np.ndarray) -> np.ndarray:
    """The colours of a colour map at places [...] in [0, 1], as red, green, blue and opacity: [..., 4]."""
    import matplotlib

    return matplotlib.colormaps[name](places)


def draw_images(images: np.ndarray, columns: int = 10):
    """Images [N, 28, 28] side by side, in rows of `columns` or fewer: what a notebook shows in passing."""
    columns = min(columns, len(images))
    with new_picture(1.6 * columns, 1.6 * -(-len(images) // columns)) as picture:
        show_images(picture.add_subplot(), images, columns)
    return picture


def show_images(axes, images: np.ndarray, columns: int) -> None:
    """Shows images [N, 28, 28] side by side in rows of `columns`, without ticks."""
    inked = np.uint8(255 * colors(INK, tile(images, columns).astype(float)))  # left to imshow: twice the memory
    axes.imshow(inked, interpolation="nearest")
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(False)


def scatter_digits(axes, points: np.ndarray, labels: np.ndarray, size: float = 2) -> None:
    """A dot for each of points [N, 2] in the colour of its label, and the labels written at their clusters."""
    for part in np.array_split(np.arange(len(points)), 4):  # so that no label lies on top of all others
        for label in np.unique(labels):  # lines, as a scatter of many colours takes longer
            some = part[labels[part] == label]
            axes.plot(*points[some].T, "o", color=DIGIT_COLORS[label], markersize=size, markeredgewidth=0)
    write_digits(axes, points, labels)


def write_digits(axes, points: np.ndarray, labels: np.ndarray) -> None:
    """Writes each label at the middle of its points [N, 2], so that none must be told by its colour.

    Labels that would overlap are moved apart; where they would have to leave their points, none is written.
    """
    from matplotlib.patheffects import withStroke

    names = np.unique(labels)
    middles = np.array([np.median(points[labels == name], axis=0) for name in names])
    spreads = np.array([points[labels == name].std() for name in names])
    places = move_apart(middles, 0.1 * np.ptp(axes.get_xlim()))
    if np.median(np.hypot(*(places - middles).T) / np.maximum(spreads, 1e-9)) > 1:
        return
    style = {"weight": "bold", "fontsize": "small", "ha": "center", "va": "center"}
    for name, place in zip(names, places, strict=True):
        axes.text(*place, str(name), path_effects=[withStroke(linewidth=4, foreground="white")], **style)


def move_apart(places: np.ndarray, distance: float) -> np.ndarray:
    """Places [N, 2], moved until all are about so far from each other."""
    angle = np.arange(len(places))
    places = places + 1e-3 * distance * np.column_stack([np.cos(angle), np.sin(angle)])  # equal ones have no direction
    for _ in range(100):
        away = places[:, np.newaxis] - places
        length = np.hypot(*away.T).T + np.eye(len(places)) * 2 * distance
        places = places + 0.4 * (away * (np.maximum(distance / length, 1) - 1)[..., np.newaxis]).sum(axis=1)
    return places


def tile(images: np.ndarray, columns: int) -> np.ndarray:
    """Images [N, height, width] as one image, [rows * height, columns * width]; the last row is filled up."""
    height, width = images.shape[1:]
    missing = -len(images) % columns
    images = np.concatenate([images, np.zeros((missing, height, width), images.dtype)])
    return images.reshape(-1, columns, height, width).swapaxes(1, 2).reshape(-1, columns * width)


def half_mass_ellipse(mean: np.ndarray, covariance: np.ndarray) -> np.ndarray:
    """The line [2, 100] that holds half of a Gaussian's mass."""
    return mass_ellipse(mean, covariance, held=0.5)


def mass_ellipse(mean: np.ndarray, covariance: np.ndarray, held: float) -> np.ndarray:
    """The line [2, 100] that holds so much of a Gaussian's mass."""
    angle = np.linspace(0, 2 * np.pi, 100)
    circle = np.sqrt(-2 * np.log(1 - held)) * np.stack([np.cos(angle), np.sin(angle)])
    variances, axes = np.linalg.eigh(covariance)  # has an answer, too, where rounding has left a Gaussian no width
    return np.asarray(mean)[:, np.newaxis] + axes * np.sqrt(np.maximum(variances, 0)) @ circle


def fill_posterior(axes, codes: np.ndarray, log_joint: np.ndarray, **style) -> None:
    """Fills the regions that hold 50, 90 and 99 percent of a posterior's mass.

    Args:
        codes: an even grid, [points * points, 2], the first dimension changing slowest.
        log_joint: ln P(x,z) at those codes, [points * points].
        style: more arguments of matplotlib's `contourf`.
    """
    points = round(np.sqrt(len(codes)))
    mass = np.exp(log_joint - log_joint.max())
    levels = [mass[region(log_joint, held)].min() for held in (0.99, 0.9, 0.5)]
    grid = [values.reshape(points, points) for values in (codes[:, 0], codes[:, 1], mass)]
    axes.contourf(*grid, levels=[*levels, 1.01], colors=POSTERIOR, **style)


def region(log_joint: np.ndarray, held: float) -> np.ndarray:
    """Which codes of an even grid, by their ln P(x,z) [M], are those most probable that hold so much mass: bool [M]."""
    mass = np.exp(log_joint - log_joint.max())
    order = np.argsort(-mass, kind="stable")
    share = np.cumsum(mass[order]) / mass.sum()
    inside = np.zeros(len(mass), bool)
    inside[order[: np.searchsorted(share, held) + 1]] = True
    return inside


def posterior_signs() -> list:
    """For a legend: the shades of a posterior's regions of 50, 90 and 99 percent."""
    from matplotlib.patches import Patch

    return [Patch(color=color) for color in reversed(POSTERIOR)]
