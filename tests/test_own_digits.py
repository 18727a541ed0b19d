"""A drawn or photographed digit comes out as MNIST's are."""

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter

from lecture10_vae import own_digit, pictures_to_idx
from lecture10_vae.utils import mnist
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
    bits = np.asarray(draw_seven("black", "white").convert("L"), np.uint16) * 257
    Image.fromarray(bits).save(tmp_path / "sixteen_bits.png")
    np.testing.assert_allclose(
        read_digit(tmp_path / "sixteen_bits.png"), read_digit(tmp_path / "upright.png"), atol=0.02
    )
    Image.new("L", (50, 50), 200).save(tmp_path / "blank.png")
    (tmp_path / "text.png").write_text("no picture")
    for name, line in (("blank", "shows no digit"), ("nowhere", "is not there"), ("text", "cannot be read")):
        with pytest.raises(UserError, match=rf"^.*{line}.*give a PNG or JPEG of one digit.*$"):
            read_digit(tmp_path / f"{name}.png")


def photograph(image, path):
    """A digit of MNIST's with a soft pen on paper that is lit from one side, with a shadow, and noise."""
    large = Image.fromarray(np.uint8(255 * image)).resize((420, 420), Image.Resampling.BICUBIC)
    strokes = np.zeros((800, 600))
    strokes[180:600, 90:510] = np.asarray(large) / 255
    rows, columns = np.indices(strokes.shape)
    light = (0.45 + 0.4 * columns / 600) * np.where((columns - 150) ** 2 + (rows - 700) ** 2 < 220**2, 0.65, 1)
    grey = light * (1 - 0.75 * strokes) + np.random.default_rng(0).normal(0, 0.02, strokes.shape)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.uint8(255 * grey.clip(0, 1))).filter(ImageFilter.GaussianBlur(2)).save(path)


def test_photographs_are_read_whatever_the_light_and_make_a_data_set(small_mnist, tmp_path):
    data = small_mnist["test"].first(14)
    for number, (image, label) in enumerate(zip(data.images, data.labels, strict=True)):
        photograph(image, path := tmp_path / "digits" / str(label) / f"{number}.jpg")
        read = read_digit(path)[0]
        nearest = max(np.corrcoef(np.roll(read, (y, x), (0, 1)).ravel(), image.ravel())[0, 1]
                      for y in range(-2, 3) for x in range(-2, 3))  # fmt: skip
        assert nearest > 0.85
    pictures_to_idx.main(tmp_path / "digits", tmp_path / "mine")
    own = {part: mnist.load(part, tmp_path / "mine") for part in ("train", "test")}
    assert [len(part) for part in own.values()] == [12, 2]
    assert sorted([*own["train"].labels, *own["test"].labels]) == sorted(data.labels)
    for message, folder, data_dir in (("exists", "digits", "mine"), ("is not there", "nowhere", "new")):
        with pytest.raises(UserError, match=message):
            pictures_to_idx.main(tmp_path / folder, tmp_path / data_dir)


def test_what_was_read_is_shown_beside_its_reconstruction(vae_run, small_mnist, tmp_path, capsys):
    photograph(small_mnist["test"].images[0], tmp_path / "seven.png")
    results = own_digit.main(tmp_path / "seven.png", vae_run.folder, logdir=tmp_path / "run")
    assert f"{results['elbo']:.1f} nats" in capsys.readouterr().out
    assert -250 < results["elbo"] < -50
    with Image.open(tmp_path / "run" / "pictures" / "digit.png") as picture:
        assert np.asarray(picture.convert("L")).std() > 30
