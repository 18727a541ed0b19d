"""What the notes cite and no script prints: epochs chosen on held-out images, spreads over seeds, and more."""

import inspect
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from unittest import mock

import numpy as np
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from lecture10_vae import classification, regression, vae
from lecture10_vae.amortized_inference import load_vae
from lecture10_vae.beyond.experiments.grey_pixels import pixel_entropies
from lecture10_vae.beyond.experiments.over_seeds import mean_and_stddev, mean_and_stddev_of_each
from lecture10_vae.studies import calibration, codes
from lecture10_vae.studies.training import train, train_epochs
from lecture10_vae.tf1 import tf, tfd
from lecture10_vae.utils import mnist

SEEDS = range(5)
EQUAL = 1e-4  # nats: epochs that differ by less in the mean over seeds, whose stddev is larger, count as equally good
CLASSIFIERS = {"regression": regression, "classification": classification}


def history(run: Path) -> list[dict]:
    """What a run has logged: for each epoch the seconds since the start, and the numbers of "train" and "test"."""
    parts = {part: EventAccumulator(str(run / part), {"scalars": 0}) for part in ("train", "test")}
    parts = {part: events.Reload() for part, events in parts.items() if (run / part).exists()}
    by_epoch = {}
    for part, events in parts.items():
        for name in events.Tags()["scalars"]:
            for event in events.Scalars(name):
                epoch = by_epoch.setdefault(event.step, {"epoch": event.step, "seconds": event.wall_time})
                epoch.setdefault(part, {})[name] = event.value
    (flags,) = (events.Tensors("flags")[0] for events in parts.values() if "flags" in events.Tags()["tensors"])
    for epoch in by_epoch.values():
        epoch["seconds"] -= flags.wall_time  # when the run began
    return list(by_epoch.values())


def epochs_on_held_out(epochs: int = 40) -> dict[str, dict]:
    """How long to train regression.py and classification.py, by training images that have no part in it.

    Returns:
        For each script the epoch whose log probability of the held-out images, a mean over seeds, is the highest, or
        the first that is as good; the log probability and the accuracy at it, mean and stddev over seeds; and both
        means by epoch, from 1 on.
    """
    rest, held_out = mnist.load("train").hold_out()
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
        for _ in train_epochs(session, model.optimize, data, epochs, *placeholders(model), seed=seed):
            yield script.evaluate(session, model, held_out.images, held_out.labels)


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
                if script is classification:
                    probability = session.run(model.probability, {model.images: test.images})
                    each_seed[-1] |= calibration_errors(probability, test.labels, seed)
        spreads[name] = mean_and_stddev_of_each(each_seed)
    return spreads


def calibration_errors(probability: np.ndarray, labels: np.ndarray, seed: int, draws: int = 20) -> dict[str, float]:
    """The expected calibration error of predictions [N, classes], and its mean if they were perfectly calibrated.

    The latter is over labels drawn from the predictions themselves: what finitely many images make of no error at all.
    """
    uniform = np.random.default_rng(seed).random((draws, len(labels), 1))
    drawn = (uniform > probability.cumsum(axis=1)[np.newaxis, :, :-1]).sum(axis=2)  # [draws, N], a class each
    return {
        "calibration_error": calibration.expected_calibration_error(probability, labels),
        "calibration_error_if_calibrated": np.mean(
            [calibration.expected_calibration_error(probability, one) for one in drawn]
        ),
    }


def placeholders(model: SimpleNamespace) -> tuple[tf.Tensor, ...]:
    """The model's for the images and, if it takes them, the digits; regression.py's label is the digit's vector."""
    digit = getattr(model, "digit", getattr(model, "label", None))
    return (model.images,) if digit is None else (model.images, digit)


def make_encoder_with_exp(images, code_size=2, hidden_size=100):
    """Slide 24's encoder, with exp in the place of softplus."""
    hidden = tf.layers.dense(tf.layers.flatten(images), hidden_size, tf.nn.relu)
    mean = tf.layers.dense(hidden, code_size)
    return tfd.MultivariateNormalDiag(mean, tf.layers.dense(hidden, code_size, tf.exp))


def trained_parts(seed: int = 0, code_size: int = 2, hidden_size: int = 100, epochs: int = 5) -> dict[str, float]:
    """What vae.py's model comes to after some epochs: the bound's parts on test images in nats, dimensions in use."""
    with tf.Graph().as_default(), tf.Session() as session:
        model = vae.build_graph(code_size, hidden_size, seed=seed)
        train(session, model.optimize, mnist.load("train"), epochs, model.images, seed=seed)
        images = mnist.load("test").images
        kl = codes.divergences(session, model, images)
        numbers = vae.evaluate(session, model, images)
        weights = sum(np.prod(variable.shape.as_list()) for variable in tf.trainable_variables())
    return numbers | {
        "dimensions_in_use": int((kl > codes.IN_USE).sum()),
        "largest_kl_of_the_others": float(kl[kl <= codes.IN_USE].max(initial=0)),
        "weights": int(weights),
    }


def with_exp(seed: int = 0) -> dict[str, float]:
    """The same with exp in the place of the encoder's softplus."""
    with mock.patch.object(vae, "make_encoder", make_encoder_with_exp):
        return trained_parts(seed)


def by_hidden_units(sizes: tuple[int, ...] = (25, 50, 100, 200, 400), seeds: range = range(3)) -> dict:
    """vae.py's bound on test images after its own number of epochs, in nats, by the units of its two hidden layers."""
    epochs = inspect.signature(vae.main).parameters["epochs"].default
    rows = []
    for units in sizes:
        each_seed = [trained_parts(seed, hidden_size=units, epochs=epochs) for seed in seeds]
        elbo = mean_and_stddev([numbers["elbo"] for numbers in each_seed])
        rows.append({"units": units, "weights": each_seed[0]["weights"], "elbo": elbo})
    return {"seeds": len(seeds), "rows": rows}


def with_four_times_the_divergence(epochs=15) -> dict[str, float]:
    """The parts of the test bound, in nats, of a VAE whose divergence weighs four times as much in training."""
    with tf.Graph().as_default(), tf.Session() as session:
        model = vae.build_graph()
        edited = tf.reduce_mean(model.reconstruction - 4 * model.kl)
        optimize = tf.train.AdamOptimizer(1e-3).minimize(-edited)
        train(session, optimize, mnist.load("train"), epochs, model.images)
        bound = vae.evaluate(session, model, mnist.load("test").images)
    return {f"{name}_nats": float(bound[name]) for name in ("reconstruction", "kl")}


def blur_of_samples(seeds: range = range(3), code_sizes: tuple[int, ...] = (2, 50), epochs: int = 5) -> dict:
    """How grey 1,000 decoded samples of the prior are, by the code's dimensions: the pixels' mean entropy, in nats."""
    by_size = {}
    for size in code_sizes:
        each_seed = []
        for seed in seeds:
            with tf.Graph().as_default(), tf.Session() as session:
                model = vae.build_graph(size, seed=seed)
                samples = model.decoder(model.prior.sample(1_000)).mean()
                train(session, model.optimize, mnist.load("train"), epochs, model.images, seed=seed)
                each_seed.append(pixel_entropies(session.run(samples)).mean())
        by_size[str(size)] = mean_and_stddev(each_seed)
    return {
        "seeds": len(seeds),
        "by_code_size_nats": by_size,
        "images_nats": pixel_entropies(mnist.load("test").images).mean(),
    }


def gaussian_decoders(seeds: range = range(3), epochs: int = 5) -> dict[str, dict]:
    """The slide's VAE with a Gaussian for the pixels, by its stddev: squared error an image, divergence, log density.

    Two are fixed, by their squares: that of 1, and that which makes the loss a mean over pixels (2 stddev^2 = 784). The
    third is a variable, one for all pixels.
    """

    def trained(seed: int, stddev: float | None) -> dict[str, float]:
        with tf.Graph().as_default(), tf.Session() as session:
            model = vae.build_graph(seed=seed)
            scale = tf.nn.softplus(tf.get_variable("scale", initializer=0.0)) if stddev is None else tf.constant(stddev)
            dist = tfd.Independent(tfd.Normal(tf.sigmoid(model.dist.distribution.logits), scale), 2)
            log_prob = dist.log_prob(model.images)
            optimize = tf.train.AdamOptimizer(1e-3).minimize(-tf.reduce_mean(log_prob - model.kl))
            train(session, optimize, mnist.load("train"), epochs, model.images, seed=seed)
            error = tf.reduce_sum((model.images - dist.mean()) ** 2, axis=[1, 2])
            numbers = {"squared_error": error, "kl_nats": model.kl, "log_density_nats": log_prob, "stddev": scale}
            values = session.run(numbers, {model.images: mnist.load("test").images})
        return {name: float(np.mean(value)) for name, value in values.items()}

    stddevs = {"one": 1.0, "mean_over_pixels": np.sqrt(784 / 2).astype(np.float32), "learned": None}
    return {
        name: mean_and_stddev_of_each([trained(seed, stddev) for seed in seeds]) for name, stddev in stddevs.items()
    }


def with_black_and_white_exchanged(run: Path) -> dict[str, float]:
    """The trained VAE's bound on the negatives of the test images, in nats."""
    with tf.Graph().as_default(), tf.Session() as session:
        bound = vae.evaluate(session, load_vae(session, run), 1 - mnist.load("test").images)
    return {"inverted_elbo_nats": float(bound["elbo"])}


def with_the_mean_code(run: Path) -> float:
    """What the trained VAE's bound on test images would be if the code were always the mean of Q(z|x), in nats."""
    images = mnist.load("test").images
    with tf.Graph().as_default(), tf.Session() as session:
        model = load_vae(session, run)
        mean = session.run(model.mean, {model.images: images})
        return float(session.run(model.elbo, {model.images: images, model.code: mean}).mean())


def questions(run: Path) -> dict:
    """What the notes' "Questions students ask" cite as evidence; `run` is the folder of the lecture's trained VAE."""
    softplus, exp, fifty = (
        mean_and_stddev_of_each([trained(seed) for seed in SEEDS])
        for trained in (trained_parts, with_exp, lambda seed: trained_parts(seed, code_size=50))
    )
    first = {name: of_seeds["values"][0] for name, of_seeds in fifty.items()}
    return {
        "elbo_with_exp_nats": exp["elbo"]["values"][0],
        "with_fifty_dimensions": {
            "elbo_nats": first["elbo"],
            "reconstruction_nats": first["reconstruction"],
            "dimensions_in_use": int(first["dimensions_in_use"]),
            "largest_kl_of_the_others_nats": first["largest_kl_of_the_others"],
        },
        "elbo_with_the_mean_code_nats": with_the_mean_code(run),
        "in_use_nats": codes.IN_USE,
        "over_seeds": {
            "elbo_with_softplus_nats": softplus["elbo"],
            "elbo_with_exp_nats": exp["elbo"],
            "reconstruction_with_two_nats": softplus["reconstruction"],
            "reconstruction_with_fifty_nats": fifty["reconstruction"],
            "dimensions_in_use_of_fifty": fifty["dimensions_in_use"],
        },
    }
