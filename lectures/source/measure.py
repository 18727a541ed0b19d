"""What the notes cite and no script prints: epochs chosen on held-out images, spreads over seeds, and more."""

import inspect
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from unittest import mock

import numpy as np

from lecture10_vae import classification, regression, vae
from lecture10_vae.load_run import load_run
from lecture10_vae.studies import codes
from lecture10_vae.studies.training import train, train_epochs
from lecture10_vae.tf1 import tf, tfd
from lecture10_vae.utils import mnist

SEEDS = range(5)
HELD_OUT = 10_000  # the last training images
EQUAL = 1e-4  # nats: epochs that differ by less in the mean over seeds, whose stddev is larger, count as equally good
CLASSIFIERS = {"regression": regression, "classification": classification}


def epochs_on_held_out(epochs: int = 40) -> dict[str, dict]:
    """How long to train regression.py and classification.py, by training images that have no part in it.

    Returns:
        For each script the epoch whose log probability of the held-out images, a mean over seeds, is the highest, or
        the first that is as good; the log probability and the accuracy at it, mean and stddev over seeds; and both
        means by epoch, from 1 on.
    """
    data = mnist.load("train")
    rest = data.first(len(data.labels) - HELD_OUT)
    held_out = mnist.Dataset(data.pixels[-HELD_OUT:], data.labels[-HELD_OUT:])
    chosen = {}
    for name, script in CLASSIFIERS.items():
        by_seed = [list(evaluate_epochs(script, rest, held_out, epochs, seed)) for seed in SEEDS]
        by_epoch = {key: [[numbers[key] for numbers in run] for run in by_seed] for key in ("log_prob", "accuracy")}
        log_prob, accuracy = (
            np.array(by_epoch[key], np.float64) for key in ("log_prob", "accuracy")
        )  # [seeds, epochs]
        means = log_prob.mean(axis=0)
        best = int(np.argmax(means > means.max() - EQUAL))  # the first
        chosen[name] = {
            "epochs": best + 1,
            "log_prob_nats": mean_and_stddev(log_prob[:, best]),
            "accuracy": mean_and_stddev(accuracy[:, best]),
            "log_prob_by_epoch_nats": means.tolist(),
            "accuracy_by_epoch": accuracy.mean(axis=0).tolist(),
        }
    return chosen


def evaluate_epochs(
    script: ModuleType, data: mnist.Dataset, held_out: mnist.Dataset, epochs: int, seed: int
) -> Iterator[dict[str, float]]:
    """Trains the script's network on the data, and yields what it evaluates on held-out images after each epoch."""
    with tf.Graph().as_default(), tf.Session() as session:
        model = script.build_graph(seed=seed)
        images = held_out.images
        for _ in train_epochs(session, model.optimize, data, epochs, *placeholders(model), seed=seed):
            yield script.evaluate(session, model, images, held_out.labels)


def over_seeds() -> dict[str, dict]:
    """Each script's numbers on the test images after its own number of epochs: mean and stddev over seeds."""
    data, test = mnist.load("train"), mnist.load("test")
    spreads = {}
    for name, script in {"vae": vae, **CLASSIFIERS}.items():
        epochs = inspect.signature(script.main).parameters["epochs"].default
        each_seed = []
        for seed in SEEDS:
            with tf.Graph().as_default(), tf.Session() as session:
                model = script.build_graph(seed=seed)
                train(session, model.optimize, data, epochs, *placeholders(model), seed=seed)
                fed = (test.images, test.labels)[: len(placeholders(model))]
                each_seed.append(script.evaluate(session, model, *fed))
        spreads[name] = {key: mean_and_stddev([numbers[key] for numbers in each_seed]) for key in each_seed[0]}
    return spreads


def placeholders(model: SimpleNamespace) -> tuple[tf.Tensor, ...]:
    """The model's for the images and, if it takes them, the digits; regression.py's label is the digit's vector."""
    digit = getattr(model, "digit", getattr(model, "label", None))
    return (model.images,) if digit is None else (model.images, digit)


def mean_and_stddev(values: list) -> dict[str, object]:
    """The values' mean and stddev (of a sample: divided by one less than their number), and the values.

    A value is a number, or a list of numbers, whose means and stddevs are lists then.
    """
    values = np.array(values, np.float64)
    return {
        "mean": values.mean(axis=0).tolist(),
        "stddev": values.std(axis=0, ddof=1).tolist(),
        "values": values.tolist(),
    }


def make_encoder_with_exp(images, code_size=2, hidden_size=100):
    """Slide 24's encoder, with exp in the place of softplus."""
    hidden = tf.layers.dense(tf.layers.flatten(images), hidden_size, tf.nn.relu)
    mean = tf.layers.dense(hidden, code_size)
    return tfd.MultivariateNormalDiag(mean, tf.layers.dense(hidden, code_size, tf.exp))


def with_exp(epochs=5) -> float:
    """The test bound in nats with exp; vae.py's history has softplus' after as many epochs."""
    with (
        mock.patch.object(vae, "make_encoder", make_encoder_with_exp),
        tf.Graph().as_default(),
        tf.Session() as session,
    ):
        model = vae.build_graph()
        train(session, model.optimize, mnist.load("train"), epochs, model.images)
        return float(vae.evaluate(session, model, mnist.load("test").images)["elbo"])


def with_fifty_dimensions(epochs=5) -> dict[str, float]:
    """A VAE with a code of 50: its test bound and reconstruction in nats, and how many dimensions it uses."""
    with tf.Graph().as_default(), tf.Session() as session:
        model = vae.build_graph(code_size=50)
        train(session, model.optimize, mnist.load("train"), epochs, model.images)
        images = mnist.load("test").images
        elbo, reconstruction = session.run([model.elbo, model.reconstruction], {model.images: images})
        kl = codes.divergences(session, model, images)
    return {
        "elbo_nats": float(elbo.mean()),
        "reconstruction_nats": float(reconstruction.mean()),
        "dimensions_in_use": int((kl > codes.IN_USE).sum()),
        "largest_kl_of_the_others_nats": float(kl[kl <= codes.IN_USE].max(initial=0)),
    }


def with_four_times_the_divergence(epochs=15) -> dict[str, float]:
    """The parts of the test bound, in nats, of a VAE whose divergence weighs four times as much in training."""
    with tf.Graph().as_default(), tf.Session() as session:
        model = vae.build_graph()
        edited = tf.reduce_mean(model.reconstruction - 4 * model.kl)
        optimize = tf.train.AdamOptimizer(1e-3).minimize(-edited, model.step)
        train(session, optimize, mnist.load("train"), epochs, model.images)
        bound = vae.evaluate(session, model, mnist.load("test").images)
    return {f"{name}_nats": float(bound[name]) for name in ("reconstruction", "kl")}


def with_black_and_white_exchanged(run: Path) -> dict[str, float]:
    """The trained VAE's bound on the negatives of the test images, in nats."""
    session, model = load_run(run)
    with session:
        return {"inverted_elbo_nats": float(vae.evaluate(session, model, 1 - mnist.load("test").images)["elbo"])}


def with_the_mean_code(run: Path) -> float:
    """What the trained VAE's bound on test images would be if the code were always the mean of Q(z|x), in nats."""
    session, model = load_run(run)
    with session:
        images = mnist.load("test").images
        mean = session.run(model.mean, {model.images: images})
        return float(session.run(model.elbo, {model.images: images, model.code: mean}).mean())


def questions(run: Path) -> dict:
    """What the notes' "Questions students ask" cite as evidence; `run` is the folder of the lecture's trained VAE."""
    return {
        "elbo_with_exp_nats": with_exp(),
        "with_fifty_dimensions": with_fifty_dimensions(),
        "elbo_with_the_mean_code_nats": with_the_mean_code(run),
    }
