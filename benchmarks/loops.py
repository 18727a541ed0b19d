"""How much faster many mini-batches a session.run make each script's epoch than one mini-batch, as on the slide."""

import json
import statistics
import time

import numpy as np

from lecture10_vae import bayesian_network, classification, regression, vae
from lecture10_vae.tf1 import tf
from lecture10_vae.utils import mnist
from lecture10_vae.utils.training import BATCHES_PER_RUN

BATCH_SIZE = {vae: 100, regression: 100, classification: 100, bayesian_network: 200}  # the scripts' defaults
EPOCHS = 5


def main() -> None:
    """Prints one line of JSON: for each script the median seconds of an epoch, one by one and many together."""
    train = mnist.load("train")
    found = {}
    for script, batch_size in BATCH_SIZE.items():
        with tf.Graph().as_default(), tf.Session() as session:
            graph = script.build_graph(batch_size=batch_size)
            session.run(tf.global_variables_initializer())
            beside_pixels = [getattr(graph, name) for name in ("label", "digit") if name in graph._fields]
            ways = {"one_by_one": (graph.optimize, 1), "together": (graph.optimize_batches, BATCHES_PER_RUN)}
            seconds = {way: [] for way in ways}
            for epoch in range(EPOCHS + 1):
                for way, (optimize, together) in ways.items():
                    began = time.perf_counter()
                    for pixels, labels in mnist.batches(train, batch_size, epoch, together):
                        session.run(optimize, {graph.pixels: pixels} | dict.fromkeys(beside_pixels, labels))
                    seconds[way].append(time.perf_counter() - began)
        name = script.__name__.rpartition(".")[2]
        found[name] = {way: statistics.median(times[1:]) for way, times in seconds.items()}  # the first compiles
        found[name]["ratio"] = float(np.median(np.divide(seconds["one_by_one"][1:], seconds["together"][1:])))
    print(json.dumps(found))


if __name__ == "__main__":
    main()
