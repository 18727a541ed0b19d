"""A drawn or photographed digit comes out as MNIST's are."""

import numpy as np
import pytest
from PIL import Image, ImageDraw

from lecture10_vae.utils.command_line import UserError
from lecture10_vae.utils.own_digits import read_digit


def draw_seven(ink, paper):
    picture = Image.new("RGB", (300, 200), paper)
    ImageDraw.Draw(picture).line([(60, 30), (140, 30), (90, 170)], fill=ink, width=16)  # left of the middle
    return picture


def test_digit_is_scaled_and_centred_as_mnists_are(tmp_path):
    draw_seven("navy", "white").save(tmp_path / "seven.png")
    image = read_digit(tmp_path / "seven.png")
    assert (image.shape, image.dtype, image.max()) == ((1, 28, 28), np.float32, pytest.approx(1, abs=0.05))
    rows, columns = (np.flatnonzero(image[0].any(axis=axis)) for axis in (1, 0))
    assert max(np.ptp(rows), np.ptp(columns)) + 1 == 20
    weight = image[0] / image.sum()
    assert [(np.indices((28, 28))[axis] * weight).sum() for axis in (0, 1)] == pytest.approx([14, 14], abs=0.5)


def test_photograph_is_read_the_way_it_was_held_and_chalk_as_ink(tmp_path):
    draw_seven("black", "white").save(tmp_path / "upright.png")
    draw_seven("white", "black").save(tmp_path / "chalk.png")
    lying = Image.Exif()
    lying[0x0112] = 6  # to be turned clockwise
    draw_seven("black", "white").rotate(90, expand=True).save(tmp_path / "lying.png", exif=lying)
    for name in ("lying", "chalk"):
        np.testing.assert_array_equal(read_digit(tmp_path / f"{name}.png"), read_digit(tmp_path / "upright.png"))
    Image.new("L", (50, 50), 200).save(tmp_path / "blank.png")
    for name in ("blank.png", "nowhere.png"):
        with pytest.raises(UserError, match=r"^.*give a PNG of one digit.*$"):
            read_digit(tmp_path / name)
