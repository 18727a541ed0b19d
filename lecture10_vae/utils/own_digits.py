"""A digit of one's own, drawn, scanned or photographed, as MNIST would have it.

MNIST's digits are white on black, scaled to a box of 20 x 20 pixels in which their shape is kept, and set into 28 x 28
pixels so that the centre of their mass is at row and column 14 (LeCun et al. 1998). A model that was trained on these
knows nothing of black on white, of shadows on the paper, of other sizes or of other places.
"""

from pathlib import Path

from lecture10_vae.utils.command_line import UserError

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError
from scipy import ndimage

LARGEST = 300  # pixels: a larger picture is made smaller first
FAINT = 0.15  # of the way from black to white: strokes that differ less from the paper are none


def read_digit(path: Path | str) -> np.ndarray:
    """The digit in a picture file, grey in [0, 1], float32 [1, 28, 28]: dark on light or light on dark.

    Says so if the digit touches the picture's border, where a part of it may be missing.

    Raises UserError if the file is no picture, or one without ink.
    """
    ink = take_off_paper(read_grey(path))
    if ink.max() < FAINT:
        raise UserError(f"{path} shows no digit, all of it is of about one colour: give a PNG or JPEG of one digit.")
    digit = ink * largest_blob(ink > ink.max() / 3)
    rows, columns = (np.flatnonzero((digit > 0).any(axis=axis)) for axis in (1, 0))
    if 0 in (*rows, *columns) or len(ink) - 1 in rows or ink.shape[1] - 1 in columns:
        print(f"{path}: the digit touches the picture's border, part of it may be missing; leave paper around it.")
    return to_mnist(digit[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1])[np.newaxis]


def read_grey(path: Path | str) -> np.ndarray:
    """The picture in grey, in [0, 1], float32 [height, width], upright and not too large."""
    try:
        with Image.open(path) as file:
            picture = ImageOps.exif_transpose(file)  # a telephone's photographs say in words which side is up
            if picture.mode.startswith("I"):  # 16 bits a pixel
                picture = Image.fromarray(np.asarray(picture, np.float32) / 65_535 * 255).convert("L")
            white = Image.new("RGBA", picture.size, "white")  # shows where the picture is transparent
            grey = Image.alpha_composite(white, picture.convert("RGBA")).convert("L")
            grey.thumbnail((LARGEST, LARGEST), Image.Resampling.BOX)
            return np.asarray(grey, np.float32) / 255
    except FileNotFoundError as error:
        raise UserError(f"{path} is not there: give a PNG or JPEG of one digit.") from error
    except (OSError, UnidentifiedImageError) as error:
        raise UserError(f"{path} cannot be read as a picture ({error}): give a PNG or JPEG of one digit.") from error


def take_off_paper(grey: np.ndarray) -> np.ndarray:
    """How much each pixel differs from the paper around it, [height, width]: 0 on paper, however it is lit.

    The paper under a stroke is guessed from what is beside it, by a closing that is wider than strokes are.
    """
    low, middle, high = np.quantile(grey, [0.002, 0.5, 0.998])
    dark = grey if middle - low > high - middle else 1 - grey  # strokes dark on light paper
    width = max(3, round(min(grey.shape) / 3) | 1)
    paper = ndimage.gaussian_filter(ndimage.grey_closing(ndimage.gaussian_filter(dark, 1), width), width / 6)
    return np.clip(paper - ndimage.gaussian_filter(dark, 0.7), 0, None)


def largest_blob(strokes: np.ndarray) -> np.ndarray:
    """Of strokes, bool [height, width], those of the largest blob; small gaps do not part it."""
    around = np.ones((3, 3))
    joined = ndimage.binary_dilation(strokes, around, iterations=1 + min(strokes.shape) // 25)
    blobs, count = ndimage.label(joined, around)
    sizes = ndimage.sum(strokes, blobs, range(1, count + 1))
    return strokes & (blobs == 1 + np.argmax(sizes))


def to_mnist(ink: np.ndarray) -> np.ndarray:
    """A digit without margin, ink above 0, [height, width], as MNIST has it: float32 [28, 28] in [0, 1]."""
    scale = 20 / max(ink.shape)
    height, width = (max(1, round(size * scale)) for size in ink.shape)
    small = np.asarray(Image.fromarray(ink).resize((width, height), Image.Resampling.BOX), np.float32)
    small = np.clip(small / np.quantile(small[small > 0], 0.9), 0, 1)  # most of a stroke's inside is white
    weight = small / small.sum()
    centre = [(np.indices(small.shape)[axis] * weight).sum() for axis in (0, 1)]
    top, left = (int(np.clip(round(14 - place), 0, 28 - size)) for place, size in zip(centre, small.shape, strict=True))
    image = np.zeros((28, 28), np.float32)
    image[top : top + height, left : left + width] = small
    return image
