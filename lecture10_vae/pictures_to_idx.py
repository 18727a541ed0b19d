"""Pictures of digits, or of other things of up to ten kinds, as a data set in MNIST's own format.

    .venv/bin/python lecture10_vae/pictures_to_idx.py --folder my_digits --data-dir data/mine
    .venv/bin/python lecture10_vae/vae.py --data-dir data/mine --logdir runs/mine

The folder has a folder for each label, my_digits/0/ to my_digits/9/, with its pictures (PNG or JPEG). Each is read as
`own_digits.read_digit` does, dark on light or light on dark; one in six is for testing.
"""

import gzip
from pathlib import Path

from lecture10_vae.utils import command_line, mnist, own_digits
from lecture10_vae.utils.command_line import UserError

import numpy as np

SUFFIXES = (".png", ".jpg", ".jpeg")


def main(folder: Path = Path("my_digits"), data_dir: Path = Path("data/mine"), seed: int = 0) -> None:
    """Reads a folder of pictures and writes MNIST's four files.

    Args:
        folder: with a folder of pictures for each label, 0 to 9.
        data_dir: the folder for the four files, which must not be there yet.
        seed: of the order, by which pictures come to be for training or for testing.
    """
    found = [path for label in range(10) for path in sorted((folder / str(label)).glob("*"))]
    found = [path for path in found if path.suffix.lower() in SUFFIXES]
    if len(found) < 12:
        has = f"holds {len(found)} pictures" if folder.is_dir() else "is not there: it needs pictures"
        raise UserError(f"{folder} {has} in folders 0 to 9: put a dozen or more there, PNG or JPEG.")
    if data_dir.exists():
        raise UserError(f"{data_dir} exists: choose another --data-dir.")
    pixels = np.concatenate([np.uint8(np.rint(255 * own_digits.read_digit(path))) for path in found])
    labels = np.array([int(path.parent.name) for path in found], np.uint8)
    order = np.random.default_rng(seed).permutation(len(found))
    parts = np.split(order, [len(found) // 6])
    data_dir.mkdir(parents=True)
    for prefix, chosen in zip(("t10k", "train"), parts, strict=True):
        for name, array in (("images-idx3", pixels[chosen]), ("labels-idx1", labels[chosen])):
            (data_dir / f"{prefix}-{name}-ubyte.gz").write_bytes(gzip.compress(mnist.to_idx(array)))
    print(f"{data_dir}: {len(parts[1]):,} pictures for training, {len(parts[0]):,} for testing. Train on them by, say,")
    batch_size = min(100, max(1, len(parts[1]) // 5))
    print(f".venv/bin/python lecture10_vae/vae.py --data-dir {data_dir} --batch-size {batch_size}")


if __name__ == "__main__":
    command_line.run(main)
