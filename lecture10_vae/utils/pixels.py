"""Refuses what is no image: a Bernoulli scores any number, but only of pixels from 0 to 1 is the sum a bound."""

from lecture10_vae.tf1 import tf

MESSAGE = "pixels outside [0, 1]: divide bytes by 255"


def assert_pixels(images: tf.Tensor) -> tf.Operation:
    """An operation that fails with `MESSAGE` where a pixel is below 0 or above 1; for tf.control_dependencies.

    It is tf.Assert without its tf.cond, which XLA lacks. Under XLA it asks nothing: the scripts train on MNIST's own.
    """
    return tf.raw_ops.Assert(condition=tf.reduce_all(tf.abs(images - 0.5) <= 0.5), data=[MESSAGE])
