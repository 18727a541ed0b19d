"""The data: against bytes written here, the genuine files, files that are bad, and digits of one's own."""

import gzip
import os
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image, ImageDraw

from lecture10_vae import regression
from lecture10_vae.utils import mnist
from lecture10_vae.utils.command_line import UserError
from lecture10_vae.utils.own_digits import read_digit


def test_parses_bytes_written_by_hand():
    content = bytes([0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 3, 1, 2, 3, 4, 5, 255])
    np.testing.assert_array_equal(mnist.parse_idx(content), [[[1, 2, 3]], [[4, 5, 255]]])


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0\0\x08",
        b"\0\0\x0d\x01\0\0\0\x01\0\0\0\0",  # floats, not bytes
        b"<html>not found</html>",
        b"\0\0\x08\x01\0\0\0\x05\x01\x02",  # promises five, holds two
        b"\0\0\x08\x01\0\0\0\x01\x01\x02",  # promises one, holds two
    ],
)
def test_refuses_what_is_not_idx(content):
    with pytest.raises(ValueError, match="IDX"):
        mnist.parse_idx(content)


def test_images_are_grey_in_0_to_1_and_made_once():
    data = mnist.Dataset(np.arange(784, dtype=np.uint8).reshape(1, 28, 28), np.zeros(1, np.int32))
    assert data.images.dtype == np.float32
    np.testing.assert_array_equal(data.images, (data.pixels / np.float32(255)).astype(np.float32))
    assert data.images is data.images


def test_parts_of_a_set_keep_images_and_labels_together(small_mnist):
    data = small_mnist["test"]
    rest, held_out = data.hold_out(300)
    parts = {(0, 7): data.first(7), (0, 1_000): data.first(2_000), (0, 700): rest, (700, 1_000): held_out}
    parts[995, 1_000] = data.take(np.arange(995, 1_000))
    for (start, end), part in parts.items():
        assert len(part) == end - start
        np.testing.assert_array_equal(part.pixels, data.pixels[start:end])
        np.testing.assert_array_equal(part.images, data.images[start:end])
        np.testing.assert_array_equal(part.labels, data.labels[start:end])
    assert len(mnist.load("train").hold_out()[1]) == 10_000


def test_binarized_pixels_are_1_as_often_as_the_grey_says():
    pixels = np.repeat(np.uint8([0, 51, 204, 255]), 20_000)
    binary = mnist.binarize(pixels, [1, 2])
    assert binary.dtype == np.float32
    assert set(np.unique(binary)) == {0, 1}
    shares = binary.reshape(4, -1).mean(axis=1)
    assert (shares[0], shares[3]) == (0, 1)
    np.testing.assert_allclose(shares, [0, 0.2, 0.8, 1], atol=4 * 0.4 / np.sqrt(20_000))
    np.testing.assert_array_equal(binary, mnist.binarize(pixels, [1, 2]))
    assert (binary != mnist.binarize(pixels, [1, 3])).any()


def test_loads_the_genuine_data():
    train, test = mnist.load("train"), mnist.load("test")
    assert train.pixels.shape == train.images.shape == (60_000, 28, 28)
    assert test.pixels.shape == test.images.shape == (10_000, 28, 28)
    assert train.pixels.dtype == test.pixels.dtype == np.uint8
    assert train.images.dtype == test.images.dtype == np.float32
    assert train.labels.dtype == test.labels.dtype == np.int32
    assert (train.images.min(), train.images.max()) == (0, 1)
    # The mean pixel is known from many sources as 0.1307, the first labels from the data set's own page.
    assert train.images.mean() == pytest.approx(0.1307, abs=5e-5)
    assert train.labels[:6].tolist() == [5, 0, 4, 1, 9, 2]
    assert test.labels[:6].tolist() == [7, 2, 1, 0, 4, 1]
    assert np.bincount(train.labels).tolist() == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]


FILES = ["t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"]


def idx(array):
    """An array of unsigned bytes in the IDX format, written out by hand."""
    return bytes([0, 0, 8, array.ndim]) + b"".join(size.to_bytes(4, "big") for size in array.shape) + array.tobytes()


@pytest.fixture
def own_data(tmp_path):
    """A folder "own" with five images of two classes in the place of MNIST's test part."""
    folder = tmp_path / "own"
    folder.mkdir()
    pixels = np.random.default_rng(0).integers(0, 256, (5, 28, 28), dtype=np.uint8)
    for name, array in zip(FILES, (pixels, np.array([0, 1, 1, 0, 1], np.uint8)), strict=True):
        (folder / name).write_bytes(idx(array))
    return folder


def refusal(data_dir):
    """The one line with which test images are refused."""
    with pytest.raises(UserError) as error:
        mnist.load("test", data_dir)
    message = error.value.args[0]
    assert "\n" not in message
    assert "--data-dir" in message or "git checkout" in message or "give" in message or "needed" in message
    return message


@pytest.mark.parametrize("packed", ["not at all", "anew"])
def test_mnist_is_known_by_what_is_packed(tmp_path, packed):
    for name in FILES:
        content = gzip.decompress((mnist.DATA_DIR / f"{name}.gz").read_bytes())
        if packed == "anew":
            (tmp_path / f"{name}.gz").write_bytes(gzip.compress(content, 1))
        else:
            (tmp_path / name).write_bytes(content)
    test = mnist.load("test", tmp_path)
    assert (test.name, test.describe()) == ("MNIST", "MNIST, 10,000 images")
    np.testing.assert_array_equal(test.pixels, mnist.load("test").pixels)


def test_other_data_have_their_folders_name_and_a_digest_of_their_own(own_data):
    own = mnist.load("test", own_data)
    assert (own.name, own.pixels.shape, own.labels.tolist()) == ("own", (5, 28, 28), [0, 1, 1, 0, 1])
    assert own.describe().startswith("own, 5 images, ")
    other = replace(own, pixels=255 - own.pixels)
    assert own.describe() != other.describe()


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (FILES[0], None, "t10k-images-idx3-ubyte.gz cannot be read (No such file or directory)"),
        (FILES[0], b"", "damaged, or of another kind (not an IDX file of unsigned bytes: it starts with nothing)"),
        (FILES[0], b"<html>not found</html>", "not an IDX file of unsigned bytes: it starts with 3c68746d"),
        (FILES[0], idx(np.zeros((5, 28, 28), np.uint8))[:-1], "an IDX header of shape [5, 28, 28] on 3,935 bytes"),
        (FILES[0], b"\0\0\x08\xff" + b"\xff" * 8, "an IDX header cut off after 12 bytes"),
        (FILES[0], b"\0\0\x08\x03" + b"\xff" * 12, "an IDX header of shape [4294967295, 4294967295, 4294967295]"),
        (FILES[0], idx(np.zeros((5, 32, 32), np.uint8)), "holds 5 x 32 x 32 numbers"),
        (FILES[0], idx(np.zeros((5, 28, 28, 3), np.uint8)), "holds 5 x 28 x 28 x 3 numbers"),
        (FILES[0], idx(np.zeros((0, 28, 28), np.uint8)), "holds 0 x 28 x 28 numbers"),
        (FILES[0], idx(np.zeros((4, 28, 28), np.uint8)), "holds 5 labels for 4 images"),
        (FILES[1], idx(np.array([0, 1, 2, 3, 10], np.uint8)), "holds the label 10"),
        (FILES[1], idx(np.zeros((5, 2), np.uint8)), "holds 10 labels for 5 images"),
        (f"{FILES[0]}.gz", b"no gzip", "t10k-images-idx3-ubyte.gz cannot be read"),
        (f"{FILES[0]}.gz", gzip.compress(idx(np.zeros((5, 28, 28), np.uint8)))[:-9], "damaged, or of another kind"),
    ],
    ids=lambda value: value if isinstance(value, str) else "content",  # packed, it has the time in it
)
def test_bad_data_are_one_line(own_data, name, content, message):
    (own_data / name).unlink(missing_ok=True)
    if content is not None:
        (own_data / name).write_bytes(content)
    assert message in refusal(own_data)


def test_what_is_no_plain_file_is_one_line(own_data):
    (own_data / FILES[1]).unlink()
    (own_data / FILES[1]).mkdir()
    assert "is no plain file" in refusal(own_data)
    if hasattr(os, "mkfifo"):
        (own_data / FILES[1]).rmdir()
        os.mkfifo(own_data / FILES[1])
        assert "is no plain file" in refusal(own_data)


def test_the_repositorys_own_files_must_be_mnist(own_data, monkeypatch):
    monkeypatch.setattr(mnist, "DATA_DIR", own_data.resolve())
    message = refusal(own_data)
    assert "holds something else than MNIST. Restore it: git checkout -- data/mnist/t10k-images-idx3-ubyte" in message


def test_batches_are_the_set_shuffled_from_the_seed_but_for_what_is_left_over(small_mnist):
    dataset = small_mnist["test"].take(np.unique(small_mnist["test"].pixels, axis=0, return_index=True)[1])
    place = {image.tobytes(): place for place, image in enumerate(dataset.pixels)}

    def order(seed, batch_size=300):
        batches = list(mnist.batches(dataset, batch_size, seed=seed))
        assert [len(batch) for batch in batches] == [batch_size] * (len(dataset) // batch_size)
        places = [place[image.tobytes()] for batch in batches for image in batch.pixels]
        assert [label for batch in batches for label in batch.labels] == dataset.labels[places].tolist()
        return places

    first, again, other = order([1, 2]), order([1, 2]), order([1, 3])
    assert first == again
    assert len(set(first)) == 900  # none comes twice
    assert first != other
    assert set(first) != set(other)  # what is left out
    assert sorted(order(0, batch_size=len(dataset))) == list(range(len(dataset)))


@pytest.mark.parametrize(("batch_size", "together", "sizes"), [(300, 2, [600, 300]), (250, 3, [750, 250])])
def test_batches_together_are_the_same_images_in_the_same_order(small_mnist, batch_size, together, sizes):
    dataset = small_mnist["test"]
    one_by_one = list(mnist.batches(dataset, batch_size, seed=0))
    some = list(mnist.batches(dataset, batch_size, seed=0, together=together))
    assert [len(batch) for batch in some] == sizes
    for field in ("pixels", "images", "labels"):
        one, other = (np.concatenate([getattr(batch, field) for batch in batches]) for batches in (one_by_one, some))
        np.testing.assert_array_equal(one, other)


def test_fewer_images_than_a_mini_batch_are_one_line(small_mnist):
    with pytest.raises(UserError, match=r"--batch-size 1001: there are 1,000 images") as error:
        next(mnist.batches(small_mnist["test"], 1_001, seed=0))
    assert "\n" not in str(error.value)


def test_a_set_of_ones_own_is_trained_on_and_named(tmp_path):
    folder = tmp_path / "squares"
    folder.mkdir()
    random = np.random.default_rng(0)
    for prefix, count in (("train", 200), ("t10k", 14)):
        labels = np.arange(count, dtype=np.uint8) % 2
        pixels = random.integers(0, 256, (count, 28, 28), dtype=np.uint8) * labels[:, None, None]
        (folder / f"{prefix}-images-idx3-ubyte").write_bytes(idx(pixels))
        (folder / f"{prefix}-labels-idx1-ubyte").write_bytes(idx(labels))
    results = regression.main(epochs=1, logdir=tmp_path / "run", data_dir=folder)
    assert results["data"].startswith("squares, 200 images, ")
    assert (tmp_path / "run" / "pictures" / "outputs.png").exists()


def draw_seven(size, lines, width, **colors):
    picture = Image.new("RGB", size, colors.get("paper", "white"))
    ImageDraw.Draw(picture).line(lines, fill=colors.get("ink", "navy"), width=width)
    return picture


def test_drawn_digit_is_scaled_and_centred_as_mnists_are(tmp_path):
    draw_seven((300, 200), [(60, 30), (140, 30), (90, 170)], 16).save(tmp_path / "seven.png")  # left of the middle
    image = read_digit(tmp_path / "seven.png")
    assert (image.shape, image.dtype, image.max()) == ((1, 28, 28), np.float32, pytest.approx(1, abs=0.05))
    rows, columns = (np.flatnonzero(image[0].any(axis=axis)) for axis in (1, 0))
    assert max(np.ptp(rows), np.ptp(columns)) + 1 == 20
    weight = image[0] / image.sum()
    assert [(np.indices((28, 28))[axis] * weight).sum() for axis in (0, 1)] == pytest.approx([14, 14], abs=0.5)


def test_photograph_is_read_the_way_it_was_held_and_chalk_as_ink(tmp_path):
    lines = [(20, 10), (40, 10), (25, 50)]
    picture = draw_seven((60, 60), lines, 6, ink="black")
    picture.save(tmp_path / "upright.png")
    lying = Image.Exif()
    lying[0x0112] = 6  # to be turned clockwise
    picture.rotate(90).save(tmp_path / "lying.png", exif=lying)
    draw_seven((60, 60), lines, 6, ink="white", paper="black").save(tmp_path / "chalk.png")
    for name in ("lying", "chalk"):
        np.testing.assert_array_equal(read_digit(tmp_path / f"{name}.png"), read_digit(tmp_path / "upright.png"))


@pytest.mark.parametrize("name", ["blank.png", "notes.txt"])
def test_no_digit_is_one_line(tmp_path, name):
    Image.new("L", (50, 50), 200).save(tmp_path / "blank.png")
    (tmp_path / "notes.txt").write_text("seven")
    with pytest.raises(UserError, match=r"give a PNG of one digit") as error:
        read_digit(tmp_path / name)
    assert "\n" not in str(error.value)
