"""Makes explorer.html: the trained models in one page that a browser opens without server or network.

    python -m lectures.source.explorer --runs runs

The page is explorer/'s parts put into one file, with what is recorded of the runs: weights, codes and test images. Its
numbers are computed in the browser, in double precision from the weights as TensorFlow has them (float32); the decoders
of earlier epochs, which only draw pictures, are in half precision.
"""

import base64
from pathlib import Path

import numpy as np

from lecture10_vae import bayesian_network
from lecture10_vae.amortized_inference import load_vae
from lecture10_vae.pictures.vae import epochs_of_slide_26
from lecture10_vae.tf1 import tf
from lecture10_vae.utils import command_line, mnist
from lecture10_vae.utils.run import read_flags, restore
from lectures.source import modules

HERE = Path(__file__).resolve().parent
PARTS = HERE / "explorer"
TARGET = HERE.parent / "explorer.html"
CODES = 3_000  # of the first test images: more would hide each other
RULE_POINTS = {"quick": 9, "fine": 25}  # in each dimension: right to 0.01 and 0.002 nats on the average test image
IMAGES_EACH = 10  # test images of each digit, to pick from


def pack(values: np.ndarray, kind: str) -> dict[str, str]:
    """An array as the page holds it: its numbers, little-endian, row by row, in base64."""
    content = np.ascontiguousarray(values, np.dtype(kind).newbyteorder("<")).tobytes()
    return {"type": kind, "base64": base64.b64encode(content).decode("ascii")}


def pack_network(session: tf.Session, scope: str, kind: str = "float32") -> dict[str, dict]:
    """The weights of a network of the default graph, by their names after the scope."""
    values = session.run({variable.op.name: variable for variable in tf.trainable_variables(f"{scope}/")})
    return {name.removeprefix(f"{scope}/"): pack(value, kind) for name, value in values.items()}


def record_vae(logdir: Path, test: mnist.Dataset) -> dict:
    """The encoder and decoder as trained, and by epoch the codes of the first test images and the decoder."""
    last = read_flags(logdir)["epochs"]
    by_epoch = []
    with tf.Graph().as_default(), tf.Session() as session:
        model = load_vae(session, logdir)
        for epoch in epochs_of_slide_26(last):
            restore(session, logdir, epoch)
            codes = session.run(model.mean, {model.images: test.images[:CODES]})
            recorded = {"epoch": epoch, "codes": pack(codes, "float16")}
            if epoch < last:
                recorded["decoder"] = pack_network(session, "decoder", "float16")
            by_epoch.append(recorded)
        return {
            "encoder": pack_network(session, "encoder"),
            "decoder": pack_network(session, "decoder"),
            "by_epoch": by_epoch,
            "labels": pack(test.labels[:CODES], "uint8"),
        }


def record_bayesian_network(logdir: Path) -> dict:
    """The means and raw stddevs of its weights, and its bias, as trained."""
    with tf.Graph().as_default(), tf.Session() as session:
        bayesian_network.build_graph()
        restore(session, logdir)
        return pack_network(session, "network")


def record(runs: Path) -> dict:
    """All that the page holds of the runs, the first test images of each digit, and Gauss and Hermite's rules."""
    test = mnist.load("test")
    chosen = np.concatenate([np.flatnonzero(test.labels == digit)[:IMAGES_EACH] for digit in range(10)])
    flags = {name: read_flags(runs / name) for name in ("vae", "bayesian_network")}
    rules = {name: np.polynomial.hermite_e.hermegauss(points) for name, points in RULE_POINTS.items()}
    return {
        "about": {f"{name}_epochs": of_run["epochs"] for name, of_run in flags.items()}
        | {"seeds": {name: of_run["seed"] for name, of_run in flags.items()}},
        "vae": record_vae(runs / "vae", test),
        "bayesian_network": record_bayesian_network(runs / "bayesian_network"),
        "images": {"pixels": pack(test.pixels[chosen], "uint8"), "labels": test.labels[chosen].tolist()},
        "rules": {
            name: {"nodes": nodes.tolist(), "weights": (weights / weights.sum()).tolist()}
            for name, (nodes, weights) in rules.items()
        },
    }


def main(runs: Path = Path("runs/lectures"), target: Path = TARGET) -> None:
    """Makes the page that lets one touch the trained models.

    Args:
        runs: the folder with the runs of vae.py and bayesian_network.py.
        target: the page's file.
    """
    recorded = {"recorded": record(runs), "worker": modules.join(PARTS / "posterior_worker.js")}
    modules.write_page(target, PARTS, "main", [PARTS / "style.css"], recorded)


if __name__ == "__main__":
    command_line.run(main)
