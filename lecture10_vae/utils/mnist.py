"""MNIST, read from the four files that come with this repository (see data/README.md), or a set like it.

Like it are images of 28 x 28 unsigned bytes with labels 0 to 9, in four files of the same names and format (IDX),
packed (.gz) or not: Fashion-MNIST, say, or digits of one's own.
"""

import gzip
import hashlib
import os
import sys
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from lecture10_vae.utils.command_line import UserError

import numpy as np

CLONES = Path(__file__).resolve().parents[2] / "data" / "mnist"
DATA_DIR = CLONES if CLONES.exists() else Path(sys.prefix) / "share" / "lecture10_vae" / "mnist"  # as pip installs it

SHA256 = {  # of MNIST's own files, unpacked
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
}
LARGEST = 2**31  # bytes of an unpacked file; MNIST's largest has 47 million


@dataclass(frozen=True)
class Dataset:
    """Images of a set, or a mini-batch of them."""

    pixels: np.ndarray  # uint8 [N, 28, 28], as the files have them
    labels: np.ndarray  # int32 [N], the classes that they show
    name: str = "MNIST"  # or that of the folder they came from

    def __len__(self) -> int:
        return len(self.labels)

    @cached_property
    def images(self) -> np.ndarray:
        """Grey images in [0, 1], float32 [N, 28, 28]: made when first asked for, and kept."""
        return np.divide(self.pixels, 255, dtype=np.float32)

    def describe(self) -> str:
        """Its name, how many images it has, and a digest of them where they are not MNIST's."""
        digest = "" if self.name == "MNIST" else f", {hashlib.sha256(self.pixels.tobytes()).hexdigest()[:12]}"
        return f"{self.name}, {len(self):,} images{digest}"

    def take(self, chosen: slice | np.ndarray) -> "Dataset":
        """Some of its images, by a slice or their numbers."""
        return replace(self, pixels=self.pixels[chosen], labels=self.labels[chosen])

    def first(self, count: int) -> "Dataset":
        """The first `count` images, or all if there are fewer."""
        return self.take(slice(count))

    def hold_out(self, count: int = 10_000) -> tuple["Dataset", "Dataset"]:
        """The set without its last images, and those: of the training images they are for validation."""
        return self.take(slice(-count)), self.take(slice(-count, None))


def load(part: str, data_dir: Path = DATA_DIR) -> Dataset:
    """Reads the "train" part (of MNIST, 60,000 images) or the "test" part (10,000) of a data set.

    Raises UserError if its files are missing or hold something else, or if this repository's own are not MNIST's.
    """
    prefix = {"train": "train", "test": "t10k"}[part]
    images_file, images = _read(Path(data_dir), f"{prefix}-images-idx3-ubyte")
    labels_file, labels = _read(Path(data_dir), f"{prefix}-labels-idx1-ubyte")
    if images.array.ndim != 3 or images.array.shape[1:] != (28, 28) or images.array.size == 0:
        shape = " x ".join(map(str, images.array.shape))
        raise UserError(f"{images_file} holds {shape} numbers: one image or more, of 28 x 28 bytes each, are needed.")
    if labels.array.shape != images.array.shape[:1]:
        count = labels.array.size
        raise UserError(f"{labels_file} holds {count:,} labels for {len(images.array):,} images: give each image one.")
    if labels.array.max() > 9:
        raise UserError(
            f"{labels_file} holds the label {labels.array.max()}, as sets of letters do: give labels from 0 to 9, "
            "ten classes at most."
        )
    name = "MNIST" if images.is_mnist and labels.is_mnist else Path(data_dir).resolve().name
    data = Dataset(images.array, labels.array.astype(np.int32), name)
    if name != "MNIST" and is_transposed(data, load("test")):
        print(f"{images_file}: these digits lie on their side, mirrored, as EMNIST's do: exchange rows and columns.")
    return data


def is_transposed(data: Dataset, mnist: Dataset) -> bool:
    """Whether the mean images of the digits are MNIST's with rows and columns exchanged."""
    present = np.intersect1d(data.labels, mnist.labels)
    own, right = (np.stack([of.pixels[of.labels == digit].mean(axis=0) for digit in present]) for of in (data, mnist))

    def likeness(means: np.ndarray) -> float:
        pairs = zip(means, right, strict=True)
        with np.errstate(invalid="ignore"):  # where all images are of one grey there is none, which is nan
            return np.mean([np.corrcoef(one.ravel(), other.ravel())[0, 1] for one, other in pairs])

    return bool(likeness(own.swapaxes(1, 2)) > max(0.6, likeness(own) + 0.2))


def batches(data: Dataset, batch_size: int, seed: int | list[int], together: int = 1) -> Iterator[Dataset]:
    """Yields the images as mini-batches, in an order drawn from `seed`.

    What is left over, fewer images than a mini-batch has, is left out: by another seed these are others.

    Args:
        batch_size: images in a mini-batch.
        together: mini-batches that are yielded as one, for `each_batch` to cut.

    Raises:
        UserError: there are too few images for a mini-batch.
    """
    if len(data) < batch_size:
        raise UserError(f"--batch-size {batch_size}: there are {len(data):,} images, give that or fewer.")
    order = np.random.default_rng(seed).permutation(len(data))
    order = order[: len(order) // batch_size * batch_size]
    for start in range(0, len(order), together * batch_size):
        yield data.take(order[start : start + together * batch_size])


def binarize(pixels: np.ndarray, seed: int | list[int]) -> np.ndarray:
    """Images of pixels 0 or 1, float32, from grey ones, uint8: 1 with the probability that the grey says."""
    chance = np.random.default_rng(seed).integers(0, 255, pixels.shape, np.uint8)  # 0 to 254, so that 255 becomes 1
    return (pixels > chance).astype(np.float32)


def parse_idx(content: bytes) -> np.ndarray:
    """Reads an array of bytes in the IDX format (its magic number says how many dimensions there are).

    Raises ValueError if the content does not have the length that its header promises.
    """
    if len(content) < 4 or content[:3] != b"\0\0\x08":
        raise ValueError(f"not an IDX file of unsigned bytes: it starts with {content[:4].hex() or 'nothing'}")
    header = 4 + 4 * content[3]
    if len(content) < header:
        raise ValueError(f"an IDX header cut off after {len(content)} bytes")
    shape = np.frombuffer(content[4:header], ">u4").astype(object)  # whole numbers of any size
    if header + shape.prod() != len(content):
        raise ValueError(f"an IDX header of shape {shape.tolist()} on {len(content):,} bytes")
    return np.frombuffer(content, np.uint8, offset=header).reshape(shape.tolist())


def to_idx(array: np.ndarray) -> bytes:
    """An array of unsigned bytes in the IDX format, which `parse_idx` reads."""
    return bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes() + array.tobytes()


class _Content(NamedTuple):
    array: np.ndarray
    is_mnist: bool


def _read(data_dir: Path, name: str) -> tuple[Path, _Content]:
    """The file of that name, packed or not, and what it holds."""
    packed = data_dir / f"{name}.gz"
    path = next(filter(os.path.exists, (packed, data_dir / name)), packed)
    own = os.path.realpath(data_dir) == str(DATA_DIR)  # which no link to itself makes fail
    cure = (
        f"Restore it: git checkout -- data/mnist/{path.name}" if own else "Give another --data-dir, or none for MNIST."
    )
    if os.path.exists(path) and not os.path.isfile(path):
        raise UserError(f"{path} is no plain file. {cure}")
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            content = file.read(LARGEST)
        array = parse_idx(content)
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror or error}). {cure}") from error
    except (EOFError, zlib.error, ValueError) as error:
        raise UserError(f"{path} is damaged, or of another kind ({error}). {cure}") from error
    is_mnist = hashlib.sha256(content).hexdigest() == SHA256[name]
    if own and not is_mnist:
        raise UserError(f"{path} holds something else than MNIST. {cure}")
    return path, _Content(array, is_mnist)
