"""The slides' code as printed, run, and what it costs.

questions.md tells what breaks, and tests/test_slide_errata.py shows it. The code is that of slides.toml. A fix is a
pair, what the slide has and what stands in its place, so that one mistake can be looked at
without the others.
"""

from pathlib import Path

import numpy as np

from lecture10_vae import bayesian_network, vae
from lecture10_vae.amortized_inference import load_vae
from lecture10_vae.beyond.experiments.over_seeds import mean_and_stddev
from lecture10_vae.studies.training import train
from lecture10_vae.tf1 import tf, tfd
from lecture10_vae.utils import mnist
from lectures.source import slides
from lectures.source.measure import SEEDS

NO_CONTRIB = ("tfd = tf.contrib.distributions\n", "")  # tfd is given
IMAGES_FIRST = ("tf.matmul(posterior.sample(), images)", "tf.matmul(tf.layers.flatten(images), posterior.sample())")
NO_RELU = ("tf.nn.relu(tf.matmul", "(tf.matmul")
CLOSED = ("(posterior, prior))", "(posterior, prior)))")


def run(numbers: tuple[str, ...], *fixes: tuple[str, str], **names) -> dict[str, object]:
    """Executes the code of some slides, fixed, with tf, tfd, np and more names given: what it has made, by name."""
    code = slides.code(*numbers)
    for printed, mended in fixes:
        if printed not in code:
            raise ValueError(f"Slides {numbers} have no {printed!r}.")
        code = code.replace(printed, mended)
    made = {"tf": tf, "tfd": tfd, "np": np, **names}
    exec(compile(code, f"slides {', '.join(numbers)}", "exec"), made)
    return made


def train_bayesian_network(*fixes: tuple[str, str], epochs=3, draws=20, seed=0) -> float:
    """Accuracy on MNIST's test images of slides 27-29, made to run and fixed, averaged over draws of the weights."""
    data, test = mnist.load("train"), mnist.load("test")
    with tf.Graph().as_default(), tf.Session() as session:
        tf.set_random_seed(seed)
        images, label = tf.placeholder(tf.float32, [None, 28, 28]), tf.placeholder(tf.int32, [None])
        made = run(("27-28", "29"), IMAGES_FIRST, CLOSED, *fixes, images=images, label=label)
        optimize = tf.train.AdamOptimizer().minimize(-made["elbo"])
        train(session, optimize, data, epochs, images, label, seed=seed)
        probability = made["dist"].probs_parameter()
        answers = np.mean([session.run(probability, {images: test.images}) for _ in range(draws)], axis=0)
    return float(np.mean(answers.argmax(axis=1) == test.labels))


def train_mended_bayesian_network(epochs=3, draws=20, seed=0) -> float:
    """The same for the network as it should be, at the same batch size."""
    data, test = mnist.load("train"), mnist.load("test")
    with tf.Graph().as_default(), tf.Session() as session:
        model = bayesian_network.build_graph(seed=seed)
        train(session, model.optimize, data, epochs, model.images, model.label, seed=seed)
        answers = bayesian_network.predict(session, model, test.images, draws).mean(axis=0)
    return float(np.mean(answers.argmax(axis=1) == test.labels))


def bounds_by_pixels(run: Path, seed=0) -> dict[str, float]:
    """The trained VAE's bound on the same test images, in nats, by what their pixels are taken to be."""
    test = mnist.load("test")
    kinds = {
        "grey": test.images,
        "binarized_dynamically": mnist.binarize(test.pixels, seed),
        "binarized_at_one_half": (test.images > 0.5).astype(np.float32),
    }
    with tf.Graph().as_default(), tf.Session() as session:
        model = load_vae(session, run)
        return {kind: float(vae.evaluate(session, model, images)["elbo"]) for kind, images in kinds.items()}


def accuracies_over_seeds() -> dict[str, dict]:
    """Accuracies after three epochs, mean and stddev over seeds: as printed but for the product, and mended."""
    trained = {
        "as_printed": train_bayesian_network,
        "without_relu": lambda seed: train_bayesian_network(NO_RELU, seed=seed),
        "mended": train_mended_bayesian_network,
    }
    return {name: mean_and_stddev([accuracy(seed=seed) for seed in SEEDS]) for name, accuracy in trained.items()}


def measure(run: Path) -> dict:
    """What the notes cite of all this; `run` is the folder of the lecture's trained VAE."""
    accuracies = accuracies_over_seeds()
    first = {name: of_seeds["values"][0] for name, of_seeds in accuracies.items()}
    return {
        "bayesian_network_accuracy": first["as_printed"],
        "bayesian_network_accuracy_without_relu": first["without_relu"],
        "bayesian_network_accuracy_mended": first["mended"],
        "over_seeds": accuracies,
        "vae_elbo_nats": bounds_by_pixels(run),
    }
