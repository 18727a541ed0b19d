"""MNIST, read from the four files that come with this repository (see data/README.md)."""

import gzip
import hashlib
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from lecture10_vae.utils.command_line import UserError

DATA_DIR = Path(__file__).resolve().parents[2] / "data" / "mnist"

SHA256 = {
    "train-images-idx3-ubyte.gz": "0b367032e93c5d0cea0925647cfdb18614af8ee15f83e6f2fc2ad904a6835971",
    "train-labels-idx1-ubyte.gz": "1787548bbe0bff1ec2ecdc0ef292b02df999e2d1a6002d27500982c652b17203",
    "t10k-images-idx3-ubyte.gz": "1a1a05eab793c14bb050b398624a11b0ffd1a2953baed553b1b9bd079e2a20be",
    "t10k-labels-idx1-ubyte.gz": "b91679a0acfe4ba0e50a2437a903084cba1f5f92592b016a25a7dfd00455798b",
}


class Dataset(NamedTuple):
    """Images as MNIST's files have them, uint8 [N, 28, 28], and the digits that they show, int32 [N]."""

    pixels: np.ndarray
    labels: np.ndarray

    @property
    def images(self) -> np.ndarray:
        """Grey images in [0, 1], float32 [N, 28, 28]."""
        return np.divide(self.pixels, 255, dtype=np.float32)


def load(part: str, data_dir: Path = DATA_DIR) -> Dataset:
    """Reads the "train" (60,000 images) or the "test" part (10,000) of MNIST.

    Raises UserError if a file is not, byte for byte, the one that this repository holds.
    """
    prefix = {"train": "train", "test": "t10k"}[part]
    pixels = parse_idx(_read_checked(Path(data_dir) / f"{prefix}-images-idx3-ubyte.gz"))
    labels = parse_idx(_read_checked(Path(data_dir) / f"{prefix}-labels-idx1-ubyte.gz"))
    return Dataset(pixels, labels.astype(np.int32))


def batches(
    dataset: Dataset, batch_size: int, seed: int | list[int], together: int = 1, shift: int = 0
) -> Iterator[Dataset]:
    """Yields the whole data set once, in an order drawn from `seed`, as mini-batches.

    Args:
        batch_size: images in a mini-batch.
        together: mini-batches in a row that are yielded as one. A smaller last mini-batch comes by itself.
        shift: by up to so many pixels each way each image is moved, drawn from `seed` too.
    """
    random = np.random.default_rng(seed)
    order = random.permutation(len(dataset.labels))
    moves = random.integers(-shift, shift + 1, size=(len(order), 2))
    whole = len(order) // batch_size * batch_size
    cuts = sorted({*range(0, whole, together * batch_size), whole, len(order)})
    for start, stop in itertools.pairwise(cuts):
        chosen = order[start:stop]
        pixels = dataset.pixels[chosen]
        if shift:  # MNIST's digits have a margin of four pixels, so that none is cut by the rolling
            for move in itertools.product(range(-shift, shift + 1), repeat=2):
                moved = (moves[start:stop] == move).all(axis=1)
                pixels[moved] = np.roll(pixels[moved], move, axis=(1, 2))
        yield Dataset(pixels, dataset.labels[chosen])


def parse_idx(content: bytes) -> np.ndarray:
    """Reads an array of bytes in the IDX format (its magic number says how many dimensions there are).

    Raises ValueError if the content does not have the length that its header promises.
    """
    if len(content) < 4 or content[:3] != b"\0\0\x08":
        raise ValueError(f"not an IDX file of unsigned bytes: it starts with {content[:4].hex()}")
    header = 4 + 4 * content[3]
    shape = np.frombuffer(content[4:header], ">u4")
    if header + shape.prod() != len(content):
        raise ValueError(f"an IDX header of shape {shape.tolist()} on {len(content)} bytes")
    return np.frombuffer(content, np.uint8, offset=header).reshape(shape)


def _read_checked(path: Path) -> bytes:
    """The file's content, unpacked, once its SHA-256 is known to be right."""
    mend = f"Restore it: git checkout -- data/mnist/{path.name}"
    try:
        packed = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path}: MNIST's file cannot be read ({error.strerror}). {mend}") from error
    found = hashlib.sha256(packed).hexdigest()
    if found != SHA256[path.name]:
        what = next((f"{name} in its place" for name, digest in SHA256.items() if digest == found), "another file")
        raise UserError(
            f"{path}: expected SHA-256 {SHA256[path.name][:12]}..., found {found[:12]}... "
            f"({what}, {len(packed):,} bytes). {mend}"
        )
    return gzip.decompress(packed)
