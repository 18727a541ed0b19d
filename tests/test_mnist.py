"""The loader: against bytes written here, against the genuine files, and against files that are bad."""

import gzip
import shutil

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


@pytest.fixture
def copied_data(tmp_path):
    return shutil.copytree(mnist.DATA_DIR, tmp_path / "mnist")


def refusal(data_dir):
    """The one line with which test images are refused."""
    with pytest.raises(UserError) as error:
        mnist.load("test", data_dir)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_refuses_missing_file(copied_data):
    path = copied_data / "t10k-images-idx3-ubyte.gz"
    path.unlink()
    message = refusal(copied_data)
    assert str(path) in message
    assert "No such file" in message
    assert "git checkout -- data/mnist/t10k-images-idx3-ubyte.gz" in message


def test_refuses_truncated_file(copied_data):
    path = copied_data / "t10k-labels-idx1-ubyte.gz"
    path.write_bytes(path.read_bytes()[:-1])
    message = refusal(copied_data)
    assert str(path) in message
    assert "expected SHA-256 b91679a0acfe..., found " in message
    assert "4,516 bytes" in message


def test_refuses_swapped_files(copied_data):
    train, test = copied_data / "train-images-idx3-ubyte.gz", copied_data / "t10k-images-idx3-ubyte.gz"
    shutil.copy(train, test)
    assert "train-images-idx3-ubyte.gz in its place" in refusal(copied_data)


def test_refuses_garbage_even_if_it_is_idx(copied_data):
    labels = bytes([0, 0, 8, 1, 0, 0, 39, 16]) + bytes(10_000)
    (copied_data / "t10k-labels-idx1-ubyte.gz").write_bytes(gzip.compress(labels))
    assert "another file" in refusal(copied_data)


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
@pytest.mark.parametrize("shift", [0, 2])
def test_batches_together_are_the_same_images_in_the_same_order(small_mnist, batch_size, together, sizes, shift):
    dataset = small_mnist["test"]
    one_by_one = list(mnist.batches(dataset, batch_size, seed=0, shift=shift))
    some = list(mnist.batches(dataset, batch_size, seed=0, together=together, shift=shift))
    assert [len(labels) for _, labels in some] == sizes
    for field in (0, 1):
        one, other = (np.concatenate([batch[field] for batch in batches]) for batches in (one_by_one, some))
        np.testing.assert_array_equal(one, other)
