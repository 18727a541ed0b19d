"""A digit of one's own, as MNIST would have it.

MNIST's digits are white on black, scaled to a box of 20 x 20 pixels in which their shape is kept, and set into 28 x 28
pixels so that the centre of their mass is at row and column 14 (LeCun et al. 1998). A model that was trained on these
knows nothing of black on white, of other sizes or of other places.
"""

from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from lecture10_vae.utils.command_line import UserError


def read_digit(path: Path | str) -> np.ndarray:
    """The digit in a picture file, grey in [0, 1], float32 [1, 28, 28].

    Raises UserError if the file is no picture, or one without ink.
    """
    try:
        with Image.open(path) as file:
            picture = ImageOps.exif_transpose(file)  # a telephone's photographs say in words which side is up
            white = Image.new("RGBA", picture.size, "white")  # shows where the picture is transparent
            grey = np.asarray(Image.alpha_composite(white, picture.convert("RGBA")).convert("L"), np.float32)
    except (OSError, UnidentifiedImageError) as error:
        raise UserError(f"{path} cannot be read as a picture ({error}): give a PNG of one digit.") from error
    ink = grey / 255
    if np.median(ink) > 0.5:  # the paper is most of the picture, and it is white
        ink = 1 - ink
    ink = (ink - ink.min()) / max(np.ptp(ink), 1 / 255)
    rows, columns = (np.flatnonzero((ink > 0.2).any(axis=axis)) for axis in (1, 0))
    if len(rows) == 0:
        raise UserError(f"{path} shows no digit, all of it is of one colour: give a PNG of one digit.")
    return to_mnist(ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1])[np.newaxis]


def to_mnist(ink: np.ndarray) -> np.ndarray:
    """A digit without margin, white on black in [0, 1], [height, width], as MNIST has it: float32 [28, 28]."""
    scale = 20 / max(ink.shape)
    height, width = (max(1, round(size * scale)) for size in ink.shape)
    small = np.asarray(Image.fromarray(ink).resize((width, height), Image.Resampling.BOX), np.float32)
    weight = small / small.sum()
    centre = [(np.indices(small.shape)[axis] * weight).sum() for axis in (0, 1)]
    top, left = (int(np.clip(round(14 - place), 0, 28 - size)) for place, size in zip(centre, small.shape, strict=True))
    image = np.zeros((28, 28), np.float32)
    image[top : top + height, left : left + width] = small
    return image
