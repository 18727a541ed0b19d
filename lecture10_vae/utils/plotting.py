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
EXACT, GRAY = "black", "#767676"  # what is known exactly; what is beside the point
HATCH = "//"  # of orange areas
POSTERIOR = ["#ebebeb", "#d4d4d4", "#b5b5b5"]  # exact posteriors: 99, 90 and 50 percent of their mass
INK = "gray_r"  # ink on paper: black digits on white, so that a projector shows them
DIGIT_COLORS = "tab10"


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
    }


def save(picture, path: Path) -> None:
    """Writes the picture as PNG."""
    picture.savefig(path, dpi=120)


def colors(name: str, places: np.ndarray) -> np.ndarray:
    """The colours of a colour map at places [N] in [0, 1], as red, green, blue and opacity: [N, 4]."""
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
    axes.imshow(tile(images, columns), cmap=INK, vmin=0, vmax=1, interpolation="nearest")
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(False)


def tile(images: np.ndarray, columns: int) -> np.ndarray:
    """Images [N, height, width] as one image, [rows * height, columns * width]; the last row is filled up."""
    height, width = images.shape[1:]
    missing = -len(images) % columns
    images = np.concatenate([images, np.zeros((missing, height, width), images.dtype)])
    return images.reshape(-1, columns, height, width).swapaxes(1, 2).reshape(-1, columns * width)


def half_mass_ellipse(mean: np.ndarray, covariance: np.ndarray) -> np.ndarray:
    """The line [2, 100] that holds half of a Gaussian's mass."""
    angle = np.linspace(0, 2 * np.pi, 100)
    circle = np.sqrt(2 * np.log(2)) * np.stack([np.cos(angle), np.sin(angle)])
    return np.asarray(mean)[:, np.newaxis] + np.linalg.cholesky(covariance) @ circle


def fill_posterior(axes, codes: np.ndarray, log_joint: np.ndarray) -> None:
    """Fills the regions that hold 50, 90 and 99 percent of a posterior's mass.

    Args:
        codes: an even grid, [points * points, 2], the first dimension changing slowest.
        log_joint: ln P(x,z) at those codes, [points * points].
    """
    points = round(np.sqrt(len(codes)))
    mass = np.exp(log_joint - log_joint.max())
    ordered = np.sort(mass)[::-1]
    share = np.cumsum(ordered) / ordered.sum()
    levels = [ordered[np.searchsorted(share, held)] for held in (0.99, 0.9, 0.5)]
    grid = [values.reshape(points, points) for values in (codes[:, 0], codes[:, 1], mass)]
    axes.contourf(*grid, levels=[*levels, 1.01], colors=POSTERIOR)
