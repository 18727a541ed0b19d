"""What every contender shares: its flags, MNIST, the initial weights, the clock and the line that it prints.

A contender is a script that ends in `contender.run(build)`, and `build` makes two functions: one trains an epoch, the
other measures the bound. This file needs NumPy only, so that no environment needs another's framework.
"""

import argparse
import json
import os
import resource
import sys
import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from lecture10_vae.utils import mnist


class Options(NamedTuple):
    """The slide's VAE."""

    epochs: int = 15
    seed: int = 0
    batch_size: int = 100
    hidden_size: int = 100
    code_size: int = 2
    images: int = 60_000


def run(build: Callable[[np.ndarray, Options], tuple[Callable, Callable]]) -> None:
    """Trains for the epochs asked for, and prints one line of JSON.

    Args:
        build: from the training images, uint8 [N, 784], and the options to two functions. The first takes an order of
            the N images, trains for an epoch in that order, and returns when the work is done. The second returns the
            bound on images, uint8 too, a mean in nats, with one sample of the code for each.
    """
    parser = argparse.ArgumentParser()
    for name, default in Options()._asdict().items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=int, default=default)
    options = Options(**vars(parser.parse_args()))
    if options.images % options.batch_size:
        parser.error("not every contender takes a smaller last mini-batch: give --images a multiple of --batch-size")
    train, test = (mnist.load(part).pixels.reshape(-1, 784) for part in ("train", "test"))
    train_epoch, test_bound = build(train[: options.images], options)
    seconds = []
    for epoch in range(1, options.epochs + 1):
        began = time.perf_counter()
        train_epoch(np.random.default_rng([options.seed, epoch]).permutation(options.images))
        seconds.append(time.perf_counter() - began)
    bound = float(test_bound(test))
    started = float(os.environ.get("BENCHMARK_STARTED", time.time()))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    print(json.dumps({"epochs": seconds, "job": time.time() - started, "bound": bound, "peak_memory": peak}))


def grey(pixels: np.ndarray) -> np.ndarray:
    """The images as float32 in [0, 1]."""
    return np.divide(pixels, 255, dtype=np.float32)


def initial_weights(options: Options) -> list[tuple[np.ndarray, np.ndarray]]:
    """Kernels [in, out], Glorot-uniform, and biases, zero: hidden, mean, stddev; the decoder's hidden, and logit."""
    random, hidden, code = np.random.default_rng(options.seed), options.hidden_size, options.code_size
    weights = []
    for rows, columns in [(784, hidden), (hidden, code), (hidden, code), (code, hidden), (hidden, 784)]:
        limit = np.sqrt(6 / (rows + columns))
        weights.append((random.uniform(-limit, limit, (rows, columns)).astype("f"), np.zeros(columns, "f")))
    return weights


def parts(order: np.ndarray, size: int) -> list[np.ndarray]:
    """The order, cut into mini-batches."""
    return [order[start : start + size] for start in range(0, len(order), size)]
