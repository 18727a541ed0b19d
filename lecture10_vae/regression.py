"""Slides 17-18: regression. A network's ten outputs are the mean of a Gaussian over ten numbers.

The inputs are MNIST's images and the ten numbers the digit's one-hot vector, so that classification.py, the next
script, can be compared. With unit stddev the loss is half the squared error and a constant:

    -ln P(label|inputs) = 1/2 |label - mean|^2 + 5 ln(2 pi)

    python lecture10_vae/regression.py                                                  # stddev 1, as on the slide
    python lecture10_vae/regression.py --learn-stddev --logdir runs/regression_stddev   # a second head learns it

After 40 epochs, 20 seconds on two cores, the largest output is the digit on 97.7 % of MNIST's 10,000 test images (seed
0; another seed moves it by a tenth). Each training image is moved by up to a pixel: without that, squared error stalls
at 97.2 %. A learned stddev lifts the log probability from -9.2 to 5.9 nats, and costs a percent of accuracy: an output
can excuse its error by a large stddev.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from lecture10_vae.tf1 import set_random_seed, tf, tfd
from lecture10_vae.utils import command_line, mnist
from lecture10_vae.utils.training import BATCHES_PER_RUN, Run, each_batch


def define_network(inputs, hidden_size=100, learn_stddev=False):
    """P(label|inputs) for inputs [N, 784]: batch shape [N], event shape [10]. Slide 18."""
    hidden = tf.layers.dense(inputs, hidden_size, tf.nn.relu)
    mean = tf.layers.dense(hidden, 10, None)
    stddev = tf.ones_like(mean)
    if learn_stddev:  # floored, as a perfect fit of labels that are all 0 or 1 would send it to 0
        stddev = tf.layers.dense(hidden, 10, tf.nn.softplus) + 0.2
    return tfd.MultivariateNormalDiag(mean, stddev)


class Regression(NamedTuple):
    """The tensors and operations of the graph."""

    pixels: tf.Tensor  # uint8 [N, 28, 28]
    images: tf.Tensor  # [N, 28, 28], grey in [0, 1]
    digit: tf.Tensor  # int32 [N]
    mean: tf.Tensor  # [N, 10]
    stddev: tf.Tensor  # [N, 10]
    log_prob: tf.Tensor  # [N], of the label, in nats
    squared_error: tf.Tensor  # [N], summed over the ten outputs
    loss: tf.Tensor  # []
    optimize: tf.Operation  # a gradient step on all images fed, as on the slide
    optimize_batches: tf.Operation  # the same on mini-batch after mini-batch of them, faster


def build_graph(hidden_size=100, learn_stddev=False, batch_size=100, learning_rate=1e-3, seed=0) -> Regression:
    """Slide 18, as a static graph."""
    set_random_seed(seed)
    network = tf.make_template("network", define_network, hidden_size=hidden_size, learn_stddev=learn_stddev)
    pixels = tf.placeholder(tf.uint8, [None, 28, 28], "pixels")  # a quarter of what floats would take to feed
    images = tf.image.convert_image_dtype(pixels, tf.float32, name="images")
    digit = tf.placeholder(tf.int32, [None], "digit")
    label = tf.one_hot(digit, 10, name="label")
    dist = network(tf.layers.flatten(images, name="inputs"))
    with tf.name_scope("loss"):
        log_prob = dist.log_prob(label)
        loss = tf.reduce_mean(-log_prob)  # Squared error; the mean, so that the step does not grow with the batch
    optimizer = tf.train.AdamOptimizer(learning_rate)
    with tf.name_scope("optimize"):
        optimize = optimizer.minimize(loss)

    def optimize_batch(pixels, label):  # the same once more, as XLA compiles it
        images = tf.image.convert_image_dtype(pixels, tf.float32)
        dist = network(tf.layers.flatten(images))
        return optimizer.minimize(tf.reduce_mean(-dist.log_prob(label)))

    with tf.name_scope("optimize_batches"):
        optimize_batches = each_batch(optimize_batch, batch_size, pixels, label)
    with tf.name_scope("output"):
        mean, stddev = dist.mean(), dist.stddev()
    with tf.name_scope("squared_error"):
        squared_error = tf.reduce_sum((label - mean) ** 2, axis=1)
    return Regression(
        pixels, images, digit, mean, stddev, log_prob, squared_error, loss, optimize, optimize_batches
    )  # fmt: skip


def evaluate(session: tf.Session, graph: Regression, data: mnist.Dataset) -> dict[str, float]:
    """Means over the data set."""
    mean, log_prob, squared_error = session.run(
        [graph.mean, graph.log_prob, graph.squared_error], {graph.pixels: data.pixels, graph.digit: data.labels}
    )
    return {
        "accuracy": np.mean(mean.argmax(axis=1) == data.labels),
        "log_prob": log_prob.mean(),
        "squared_error": squared_error.mean(),
    }


def draw_figures(mean: np.ndarray, stddev: np.ndarray, test: mnist.Dataset, folder: Path) -> None:
    """The outputs of the six test digits whose largest output stands out most from the next, and of those least."""
    from lecture10_vae.utils import plotting  # here, since matplotlib takes half a second to load

    ordered = np.sort(mean, axis=1)
    by_doubt = np.argsort(ordered[:, -2] - ordered[:, -1])
    chosen = np.concatenate([by_doubt[:6], by_doubt[-6:]])
    figure = plotting.outputs(
        *(array[chosen] for array in (test.images, test.labels, mean, stddev)),
        name="output",
        title="Ten outputs and their stddev: six sure test digits, and six doubtful ones",
    )
    plotting.save(figure, folder / "outputs.png")


def main(
    epochs: int = 40,
    batch_size: int = 100,
    hidden_size: int = 100,
    learn_stddev: bool = False,
    learning_rate: float = 1e-3,
    seed: int = 0,
    logdir: Path = Path("runs/regression"),
    data_dir: Path = mnist.DATA_DIR,
    fresh: bool = False,
) -> dict:
    """Trains the regression of slide 18 on MNIST; goes on where an earlier run in the folder stopped.

    Args:
        epochs: passes over the 60,000 training images.
        batch_size: images in a mini-batch.
        hidden_size: units in the hidden layer.
        learn_stddev: let a second head learn the stddev, which is 1 on the slide.
        learning_rate: of Adam.
        seed: of the initial weights and the order of the images.
        logdir: the run's folder, for checkpoints, curves, pictures and figures.
        data_dir: the folder with MNIST's four files.
        fresh: begin anew, replacing the run in the folder.

    Returns:
        What results.json says.
    """
    config = {"batch_size": batch_size, "hidden_size": hidden_size, "learning_rate": learning_rate, "seed": seed}
    command_line.check_numbers(epochs=epochs, **config)
    config["learn_stddev"] = learn_stddev
    train, test = mnist.load("train", data_dir), mnist.load("test", data_dir)
    with tf.Graph().as_default(), tf.Session() as session, Run("regression", logdir, config, fresh) as run:
        train_sample = mnist.Dataset(train.pixels[:10_000], train.labels[:10_000])
        print(f"The regression of slide 18 on {len(train.pixels):,} MNIST digits; test set, log probability in nats:")
        graph = build_graph(hidden_size, learn_stddev, batch_size, learning_rate, seed)
        for epoch in run.epochs(session, epochs, len(train.pixels)):
            if epoch > 0:  # epoch 0 is the untrained model
                batches = mnist.batches(train, batch_size, [seed, epoch], BATCHES_PER_RUN, shift=1)
                for pixels, digits in run.progress(batches):
                    session.run(graph.optimize_batches, {graph.pixels: pixels, graph.digit: digits})
            run.write("train", epoch, evaluate(session, graph, train_sample))
            run.write("test", epoch, evaluate(session, graph, test))
            run.save(session, epoch)

        figures = evaluate(session, graph, test)
        mean, stddev = session.run([graph.mean, graph.stddev], {graph.pixels: test.pixels})
        draw_figures(mean, stddev, test, run.figures_dir)
        return run.finish(
            test_accuracy=figures["accuracy"],
            test_log_prob_nats=figures["log_prob"],
            test_squared_error=figures["squared_error"],
        )


if __name__ == "__main__":
    command_line.run(main)
