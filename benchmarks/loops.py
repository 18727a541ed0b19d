"""An epoch of each script by three loops: the one on the slide, each_batch without XLA, and each_batch."""

import json
import statistics
import time

import numpy as np

from lecture10_vae import bayesian_network, classification, regression, vae
from lecture10_vae.each_batch import each_batch
from lecture10_vae.tf1 import tf
from lecture10_vae.utils import mnist

BATCH_SIZE = {vae: 100, regression: 100, classification: 100, bayesian_network: 200}  # the scripts' defaults
EPOCHS = 5


def time_epochs(script, batch_size: int, train: mnist.Dataset) -> dict[str, list[float]]:
    """Seconds of each epoch by each of the three loops, in turns; the first epoch compiles."""
    with tf.Graph().as_default() as graph, tf.Session() as session:
        optimize = script.build_graph().optimize
        fed = [operation.outputs[0] for operation in graph.get_operations() if operation.type == "Placeholder"]
        ways = {  # what to run, and how many mini-batches it is fed
            "one_by_one": (optimize, 1),
            "without_xla": (each_batch(optimize, batch_size, fed, plain=True), 100),
            "together": (each_batch(optimize, batch_size, fed), 100),
        }
        session.run(tf.global_variables_initializer())
        seconds = {way: [] for way in ways}
        for epoch in range(EPOCHS + 1):
            for way, (step, together) in ways.items():
                began = time.perf_counter()
                for batch in mnist.batches(train, batch_size, epoch, together):
                    session.run(step, dict(zip(fed, (batch.images, batch.labels), strict=False)))  # the VAE: no labels
                seconds[way].append(time.perf_counter() - began)
    return seconds


def main() -> None:
    """Prints one line of JSON: for each script the median seconds of an epoch by each loop, and a ratio."""
    train = mnist.load("train")
    rows = {}
    for script, batch_size in BATCH_SIZE.items():
        seconds = {way: times[1:] for way, times in time_epochs(script, batch_size, train).items()}
        row = {way: statistics.median(times) for way, times in seconds.items()}
        row["ratio"] = float(np.median(np.divide(seconds["one_by_one"], seconds["together"])))
        rows[script.__name__.rpartition(".")[2]] = row
    print(json.dumps(rows))


if __name__ == "__main__":
    main()
