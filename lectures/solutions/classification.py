"""Slides 19-20: solutions to the exercises of lectures/exercises/classification.py.

    .venv/bin/python lectures/solutions/classification.py

Ten seconds on two cores, most of them for training.
"""

from types import SimpleNamespace

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

from lecture10_vae import classification
from lecture10_vae.studies.training import train
from lecture10_vae.tf1 import tf
from lecture10_vae.utils import mnist
from lectures.exercises import check


def log_prob_of_one_confidence(accuracy: float = 0.984) -> float:
    """Exercise 1: in nats; by hand, 0.984 ln 0.984 + 0.016 ln(0.016 / 9), as the best confidence is the accuracy."""
    confidence = np.linspace(0.1, 0.9999, 9_900)
    return np.max(accuracy * np.log(confidence) + (1 - accuracy) * np.log((1 - confidence) / 9))


def train_with_one_hot_labels(
    session: tf.Session, num_images: int = 20_000, seed: int = 0
) -> tuple[list[float], SimpleNamespace]:
    """The loss of each of 2,000 steps, in nats, and the model."""
    data = mnist.load("train").first(num_images)
    tf.set_random_seed(seed)
    images, label = tf.placeholder(tf.float32, [10, 28, 28]), tf.placeholder(tf.int32, [10])
    dist = classification.define_network(tf.layers.flatten(images))
    probability = dist.probs_parameter()
    loss = tf.reduce_mean(-dist.log_prob(tf.one_hot(label, 10)))
    optimize = tf.train.AdamOptimizer().minimize(loss)
    session.run(tf.global_variables_initializer())
    losses = [
        session.run([loss, optimize], {images: batch.images, label: batch.labels})[0]
        for batch in mnist.batches(data, 10, seed)
    ]
    return losses, SimpleNamespace(images=images, probability=probability)


def loss_with_one_hot_labels(seed: int = 0) -> float:
    """Exercise 2: mean loss of the last 500 of 2,000 steps, in nats.

    Each 0 or 1 of the one-hot vectors is taken for a digit, and the tenth column for that of the tenth image. So each
    image is told "zero" nine times in ten and "one" else, and the loss can fall to -0.9 ln 0.9 - 0.1 ln 0.1 = 0.325.
    """
    with tf.Graph().as_default(), tf.Session() as session:
        losses, _ = train_with_one_hot_labels(session, seed=seed)
    return np.mean(losses[-500:])


def train_on(session: tf.Session, data: mnist.Dataset, seed: int, epochs: int = 40) -> SimpleNamespace:
    """classification.py's model, trained on the data, by heart if there are few."""
    model = classification.build_graph(seed=seed)
    train(session, model.optimize, data, epochs, model.images, model.label, seed=seed)
    return model


def temperature_of(logit: np.ndarray, labels: np.ndarray) -> float:
    """By what to divide logits [N, classes] for the highest log probability of the labels [N]."""

    def loss(temperature):
        return -log_softmax(logit / temperature, axis=1)[np.arange(len(labels)), labels].mean()

    return minimize_scalar(loss, bounds=(0.1, 10), method="bounded").x


def best_temperature(num_images: int = 5_000, seed: int = 0) -> float:
    """Exercise 3: the temperature with the highest log probability of held-out labels, those of the last 10,000."""
    data = mnist.load("train")
    _, held_out = data.hold_out()
    with tf.Graph().as_default(), tf.Session() as session:
        model = train_on(session, data.first(num_images), seed)
        logit = session.run(model.dist.logits, {model.images: held_out.images})
    return temperature_of(logit, held_out.labels)


if __name__ == "__main__":
    check.main(__file__)
