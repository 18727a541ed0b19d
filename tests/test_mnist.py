"""The loader: against bytes written here, against the genuine files, and against files that are bad."""

import gzip
import os

import numpy as np
import pytest

from lecture10_vae.utils import mnist
from lecture10_vae.utils.command_line import UserError


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


@pytest.mark.parametrize("count", [1, 3, 1_000])
def test_images_lie_where_tensorflow_reads_them_without_a_copy(count):
    pixels = np.random.default_rng(count).integers(0, 256, (count, 28, 28), np.uint8)
    images = mnist.Batch(pixels, None).images
    assert [image.ctypes.data % 64 for image in images] == [0] * count
    assert images.flags.c_contiguous
    np.testing.assert_array_equal(images, (pixels / np.float32(255)).astype(np.float32))


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
        path, write = (tmp_path / name, open) if packed == "not at all" else (tmp_path / f"{name}.gz", gzip.open)
        with write(path, "wb") as file:
            file.write(content)
    test = mnist.load("test", tmp_path)
    assert (test.name, test.describe()) == ("MNIST", "MNIST, 10,000 images")
    np.testing.assert_array_equal(test.pixels, mnist.load("test").pixels)


def test_other_data_have_their_folders_name_and_a_digest_of_their_own(own_data):
    own = mnist.load("test", own_data)
    assert (own.name, own.pixels.shape, own.labels.tolist()) == ("own", (5, 28, 28), [0, 1, 1, 0, 1])
    assert own.describe().startswith("own, 5 images, ")
    other = own._replace(pixels=255 - own.pixels)
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


def test_batches_are_the_whole_set_shuffled_from_the_seed(small_mnist):
    dataset = small_mnist["test"]
    batches = list(mnist.batches(dataset, 300, seed=[1, 2]))
    assert [len(labels) for _, labels in batches] == [300, 300, 300, 100]
    pixels, labels = (np.concatenate(arrays) for arrays in zip(*batches, strict=True))
    assert labels.tolist() != dataset.labels.tolist()
    # Images keep their labels, and each comes once: sorted, both orders are the same.
    keys = [
        np.lexsort([*part.pixels.reshape(1_000, -1).T, part.labels])
        for part in (dataset, mnist.Dataset(pixels, labels))
    ]
    np.testing.assert_array_equal(pixels[keys[1]], dataset.pixels[keys[0]])
    np.testing.assert_array_equal(labels[keys[1]], dataset.labels[keys[0]])

    again = np.concatenate([batch.labels for batch in mnist.batches(dataset, 300, seed=[1, 2])])
    other = np.concatenate([batch.labels for batch in mnist.batches(dataset, 300, seed=[1, 3])])
    assert labels.tolist() == again.tolist()
    assert labels.tolist() != other.tolist()


@pytest.mark.parametrize(("batch_size", "together", "sizes"), [(300, 2, [600, 300, 100]), (250, 3, [750, 250])])
def test_batches_together_are_the_same_images_in_the_same_order(small_mnist, batch_size, together, sizes):
    dataset = small_mnist["test"]
    one_by_one = list(mnist.batches(dataset, batch_size, seed=0))
    some = list(mnist.batches(dataset, batch_size, seed=0, together=together))
    assert [len(labels) for _, labels in some] == sizes
    for field in (0, 1):
        one, other = (np.concatenate([batch[field] for batch in batches]) for batches in (one_by_one, some))
        np.testing.assert_array_equal(one, other)
