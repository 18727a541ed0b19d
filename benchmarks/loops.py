"""How much faster many mini-batches a session.run make each script's epoch than one mini-batch, as on the slide."""

import json
import statistics
import time

import numpy as np

from lecture10_vae import bayesian_network, classification, regression, vae
from lecture10_vae.studies import point_estimate
from lecture10_vae.tf1 import BATCHES_PER_RUN, each_batch, tf
from lecture10_vae.utils import mnist

BATCH_SIZE = {vae: 100, regression: 100, classification: 100, bayesian_network: 200}  # the scripts' defaults
EPOCHS = 5


def time_epochs(script, batch_size: int, train: mnist.Dataset) -> dict[str, list[float]]:
    """Seconds of each epoch, one mini-batch a session.run and many, in turns; the first one compiles."""
    with tf.Graph().as_default(), tf.Session() as session:
        model = script.build_graph()
        optimize = model.optimize
        if script is bayesian_network:  # which trains its point estimate along
            optimize = tf.group(optimize, point_estimate.build_graph(model.images, model.label).optimize)
        pixels, labels = tf.placeholder(tf.uint8, [None, 28, 28]), tf.placeholder(tf.int32, [None])
        placeholders = [getattr(model, name) for name in ("images", "label", "digit") if hasattr(model, name)]
        placeholders = [placeholder for placeholder in placeholders if placeholder.op.type == "Placeholder"]
        feeds = dict(zip(placeholders, (pixels, labels), strict=False))
        optimize_batches = each_batch(optimize, batch_size, feeds)
        session.run(tf.global_variables_initializer())
        seconds = {"one_by_one": [], "together": []}
        for epoch in range(EPOCHS + 1):
            began = time.perf_counter()
            for batch in mnist.batches(train, batch_size, epoch):
                session.run(optimize, dict(zip(placeholders, (batch.images, batch.labels), strict=False)))
            seconds["one_by_one"].append(time.perf_counter() - began)
            began = time.perf_counter()
            for batch in mnist.batches(train, batch_size, epoch, BATCHES_PER_RUN):
                session.run(optimize_batches, dict(zip(feeds.values(), batch, strict=False)))
            seconds["together"].append(time.perf_counter() - began)
    return seconds


def main() -> None:
    """Prints one line of JSON: for each script the median seconds of an epoch, one by one and many together."""
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
