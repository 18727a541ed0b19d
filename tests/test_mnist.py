"""The data: against bytes written here, the genuine files, and files that are bad."""

import gzip
import re
import shutil
from dataclasses import replace

import numpy as np
import pytest

from lecture10_vae import regression
from lecture10_vae.utils import mnist
from lecture10_vae.utils.command_line import UserError


def test_parts_of_a_set_keep_images_and_labels_together(small_mnist):
    data = small_mnist["test"]
    assert data.images is data.images  # made once
    rest, held_out = data.hold_out(300)
    parts = {(0, 7): data.first(7), (0, 1_000): data.first(2_000), (0, 700): rest, (700, 1_000): held_out}
    parts[995, 1_000] = data.take(np.arange(995, 1_000))
    for (start, end), part in parts.items():
        assert len(part) == end - start
        np.testing.assert_array_equal(part.pixels, data.pixels[start:end])
        np.testing.assert_array_equal(part.images, (data.pixels / np.float32(255)).astype(np.float32)[start:end])
        np.testing.assert_array_equal(part.labels, data.labels[start:end])


def test_binarized_pixels_are_1_as_often_as_the_grey_says():
    pixels = np.repeat(np.uint8([0, 51, 204, 255]), 20_000)
    binary = mnist.binarize(pixels, [1, 2])
    assert set(np.unique(binary)) == {0, 1}
    shares = binary.reshape(4, -1).mean(axis=1)
    np.testing.assert_allclose(shares, [0, 0.2, 0.8, 1], atol=4 * 0.4 / np.sqrt(20_000))
    np.testing.assert_array_equal(binary, mnist.binarize(pixels, [1, 2]))


def test_loads_the_genuine_data():
    train, test = mnist.load("train"), mnist.load("test")
    assert train.pixels.shape == train.images.shape == (60_000, 28, 28)
    assert test.images.shape == (10_000, 28, 28)
    assert [array.dtype for array in (train.pixels, train.images, train.labels)] == [np.uint8, np.float32, np.int32]
    assert (train.images.min(), train.images.max()) == (0, 1)
    assert len(train.hold_out()[1]) == 10_000
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


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (FILES[0], b"<html>", "not an IDX file of unsigned bytes: it starts with 3c68746d"),
        (FILES[0], idx(np.zeros((5, 28, 28), np.uint8))[:-1], "an IDX header of shape [5, 28, 28] on 3,935 bytes"),
        (FILES[0], b"\0\0\x08\xff" + b"\xff" * 8, "an IDX header cut off after 12 bytes"),
        (FILES[0], idx(np.zeros((5, 32, 32), np.uint8)), "holds 5 x 32 x 32 numbers"),
        (FILES[0], idx(np.zeros((4, 28, 28), np.uint8)), "holds 5 labels for 4 images"),
        (FILES[1], idx(np.array([0, 1, 2, 3, 10], np.uint8)), "holds the label 10"),
        (f"{FILES[0]}.gz", gzip.compress(idx(np.zeros((5, 28, 28), np.uint8)))[:-9], "damaged, or of another kind"),
    ],
    ids=lambda value: value if isinstance(value, str) else "content",  # packed, it has the time in it
)
def test_bad_data_are_one_line(own_data, name, content, message):
    (own_data / name).write_bytes(content)
    with pytest.raises(UserError, match=rf"^.*{re.escape(message)}.*$"):
        mnist.load("test", own_data)


def test_a_folder_in_a_files_place_and_changes_in_the_repositorys_own_are_one_line(own_data, monkeypatch):
    (own_data / FILES[1]).unlink()
    (own_data / FILES[1]).mkdir()
    with pytest.raises(UserError, match=r"^.* is no plain file\. Give another --data-dir.*$"):
        mnist.load("test", own_data)
    monkeypatch.setattr(mnist, "DATA_DIR", own_data.resolve())
    with pytest.raises(UserError, match=r"^.* git checkout -- data/mnist/t10k-images.*$"):
        mnist.load("test", own_data)


def test_digits_on_their_side_are_told_from_others(small_mnist):
    train, test = small_mnist["train"], small_mnist["test"]
    lying = replace(train, pixels=train.pixels.swapaxes(1, 2))
    noise = np.random.default_rng(0).integers(0, 256, train.pixels.shape, np.uint8)
    others = train, replace(train, pixels=255 - train.pixels), replace(train, pixels=noise)
    assert [mnist.is_transposed(data, test) for data in (lying, *others)] == [True, False, False, False]


def test_batches_are_the_set_shuffled_from_the_seed_but_for_what_is_left_over(small_mnist):
    dataset = small_mnist["test"].take(np.unique(small_mnist["test"].pixels, axis=0, return_index=True)[1])
    place = {image.tobytes(): place for place, image in enumerate(dataset.pixels)}

    def order(seed, together):
        batches = list(mnist.batches(dataset, 300, seed, together))
        assert [len(batch) for batch in batches] == {1: [300, 300, 300], 2: [600, 300]}[together]
        places = [place[image.tobytes()] for batch in batches for image in batch.pixels]
        assert [label for batch in batches for label in batch.labels] == dataset.labels[places].tolist()
        return places

    first, again, other = order([1, 2], 1), order([1, 2], 2), order([1, 3], 1)
    assert first == again
    assert len(set(first)) == 900  # none comes twice
    assert first != other
    assert set(first) != set(other)  # what is left out
    with pytest.raises(UserError, match=r"^--batch-size 1001: there are [\d,]+ images.*$"):
        next(mnist.batches(dataset, 1_001, seed=0))


def test_a_set_of_ones_own_is_trained_on_and_named(own_data, tmp_path):
    for part, other in zip(FILES, ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"), strict=True):
        shutil.copy(own_data / part, own_data / other)
    results = regression.main(epochs=1, batch_size=5, logdir=tmp_path / "run", data_dir=own_data)
    assert results["data"].startswith("own, 5 images, ")
    assert (tmp_path / "run" / "pictures" / "outputs.png").exists()
    own = mnist.load("test", own_data)
    assert own.labels.tolist() == [0, 1, 1, 0, 1]
    assert own.describe() != replace(own, pixels=255 - own.pixels).describe()  # a digest tells them apart
