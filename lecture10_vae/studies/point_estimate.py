"""What slide 28's Bayesian layer is compared with: a layer of the same shape whose weights are values."""

from types import SimpleNamespace

import numpy as np

from lecture10_vae.tf1 import tf, tfd


def build_graph(images: tf.Tensor, label: tf.Tensor, learning_rate: float = 1e-3) -> SimpleNamespace:
    """The layer on a model's images [N, 28, 28] and labels [N]. Returns everything below by its name."""
    with tf.variable_scope("point_estimate"):
        logit = tf.layers.dense(tf.layers.flatten(images), 10, name="logit")  # [N, 10]
        dist = tfd.Categorical(logits=logit)
        log_prob = tf.reduce_mean(dist.log_prob(label))  # [], nats
        probability = dist.probs_parameter()  # [N, 10]
        kernel, bias = tf.trainable_variables("point_estimate/logit")  # [784, 10], [10]
        optimize = tf.train.AdamOptimizer(learning_rate).minimize(-log_prob)
    return SimpleNamespace(**locals())


def predict(images: np.ndarray, session: tf.Session, point: SimpleNamespace) -> np.ndarray:
    """P(label|image) for images [N, 28, 28], as one draw: [1, N, 10]."""
    return session.run(point.probability, {point.images: images})[np.newaxis]


def evaluate(session: tf.Session, point: SimpleNamespace, images: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """Log probability in nats and accuracy: means over images [N, 28, 28] of labels [N]."""
    log_prob, probability = session.run(
        [point.log_prob, point.probability], {point.images: images, point.label: labels}
    )
    return {"log_prob": log_prob, "accuracy": np.mean(probability.argmax(axis=1) == labels)}
