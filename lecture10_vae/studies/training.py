"""The scripts' training loop without the folder of a run, for whoever needs trained models by the dozen."""

from collections.abc import Iterator

from lecture10_vae.each_batch import each_batch
from lecture10_vae.tf1 import tf
from lecture10_vae.utils import mnist


def train(*args, **options) -> None:
    """Trains as `train_epochs` does, whose arguments it takes, to the last epoch."""
    for _ in train_epochs(*args, **options):
        pass


def train_epochs(
    session: tf.Session,
    optimize: tf.Operation,
    data: mnist.Dataset,
    epochs: int,
    *placeholders: tf.Tensor,
    batch_size: int = 100,
    seed: int = 0,
) -> Iterator[int]:
    """Trains the session's graph, on the same mini-batches in the same order as a script does.

    Variables that have a value keep it, and are trained on from there; the others are started.

    Args:
        optimize: a gradient step on the images fed.
        placeholders: the graph's for the images and, if it takes them, the labels.
        batch_size: images in a mini-batch.
        seed: of the order of the images.

    Yields:
        Each epoch, once it is done.
    """
    optimize = each_batch(optimize, batch_size, list(placeholders))
    missing = set(session.run(tf.report_uninitialized_variables()))
    variables = [variable for variable in tf.global_variables() if variable.op.name.encode() in missing]
    session.run(tf.variables_initializer(variables))
    for epoch in range(1, epochs + 1):
        for batch in mnist.batches(data, batch_size, [seed, epoch], together=100):
            fed = zip(placeholders, (batch.images, batch.labels), strict=False)  # an auto-encoder takes no labels
            session.run(optimize, dict(fed))
        yield epoch
