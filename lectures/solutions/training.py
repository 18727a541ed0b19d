"""The scripts' training loop without the run folder, as several solutions need it."""

from lecture10_vae.tf1 import tf
from lecture10_vae.utils import mnist
from lecture10_vae.utils.training import BATCHES_PER_RUN


def train(
    session: tf.Session,
    optimize: tf.Operation,
    data: mnist.Dataset,
    epochs: int,
    *placeholders: tf.Tensor,
    batch_size: int = 100,
    together: int = BATCHES_PER_RUN,
    seed: int = 0,
) -> None:
    """Trains the session's graph from the start.

    Args:
        optimize: a gradient step on the images fed, or on mini-batch after mini-batch of them.
        placeholders: the graph's for the pixels and, if it takes them, the labels.
        batch_size: images in a mini-batch.
        together: mini-batches fed to one session.run; 1 if `optimize` takes one step.
    """
    session.run(tf.global_variables_initializer())
    for epoch in range(1, epochs + 1):
        for batch in mnist.batches(data, batch_size, [seed, epoch], together):
            session.run(optimize, dict(zip(placeholders, batch, strict=False)))  # an auto-encoder takes no labels
