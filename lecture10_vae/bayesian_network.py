"""Slides 11 and 27-29: a Bayesian neural network, on MNIST, and what its uncertainty is worth.

The weights of one layer have Gaussians Q(weights) in place of values. The training set's N images share them, so that
one image's share of the bound, in nats, holds an N-th of the divergence:

    1/N ln P(labels|images) >= E_Q[ln P(label|image, weights)] - KL[Q(weights) || P(weights)] / N

    python lecture10_vae/bayesian_network.py

The left side is for all training labels together. On test images the right side bounds nothing; they have a log
predictive probability. After 30 epochs, 20 seconds on two cores with all that is measured, the layer is right on 92.7 %
of MNIST's test images (mean over seeds 0 to 4), with a calibration error of 0.017. A layer without Q, on the same
batches, is right on 92.8 % and has 0.014: the one without is no worse, and better calibrated.

What the draws of the weights differ on (their mutual information with the answer) is mostly ink in places where the
training digits have none: noise and shuffled pixels, but hardly turned digits. The weights of such places learn
nothing from the labels, and their stddevs come to the prior's 1 in some 30 epochs; with fewer the draws differ less.
"""

import functools
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from lecture10_vae.pictures import bayesian_network as pictures
from lecture10_vae.studies import point_estimate, pruning, uncertainty
from lecture10_vae.tf1 import BATCHES_PER_RUN, each_batch, set_random_seed, tf, tfd
from lecture10_vae.utils import command_line, mnist
from lecture10_vae.utils.run import Run


def define_network(images, num_classes=10, noise_seed=None, bayesian_bias=False):
    """P(label|image) for images [N, 28, 28] by one draw of the weights, Q(weights) and P(weights). Slides 27-28.

    Q and P have batch shape [784], or [785] with a Bayesian bias, and event shape [num_classes].
    """
    images = tf.layers.flatten(images)
    if bayesian_bias:  # the weight of an input that is always 1
        images = tf.pad(images, [[0, 0], [0, 1]], constant_values=1)
    mean = tf.get_variable("mean", [images.shape[1], num_classes])
    small = tf.constant_initializer(-4)  # softplus(-4) = 0.018; the default's 0.69 is noise of the logits' size
    stddev = tf.get_variable("stddev", [images.shape[1], num_classes], initializer=small)
    prior = tfd.MultivariateNormalDiag(tf.zeros_like(mean), tf.ones_like(stddev))
    posterior = tfd.MultivariateNormalDiag(mean, tf.nn.softplus(stddev))
    bias = 0.0 if bayesian_bias else tf.get_variable("bias", [num_classes])
    logit = tf.matmul(images, posterior.sample(seed=noise_seed)) + bias  # no relu: ten negative logits have no gradient
    return tfd.Categorical(logits=logit), posterior, prior


def build_graph(train_size=60_000, bayesian_bias=False, learning_rate=1e-3, seed=0) -> SimpleNamespace:
    """Slides 27-29, as a static graph. Returns everything below by its name."""
    set_random_seed(seed)
    step = tf.train.get_or_create_global_step()
    with tf.name_scope("noise_seed"):  # new weights at each step, the same in a run repeated
        noise_seed = tf.stack([seed, tf.cast(step, tf.int32)])
    network = tf.make_template("network", define_network, noise_seed=noise_seed, bayesian_bias=bayesian_bias)

    images = tf.placeholder(tf.float32, [None, 28, 28], "images")  # grey, in [0, 1]
    label = tf.placeholder(tf.int32, [None], "label")
    dist, posterior, prior = network(images)
    with tf.name_scope("elbo"):  # slide 29: an image's share, in nats
        log_prob = tf.reduce_mean(dist.log_prob(label))  # []
        kl = tf.reduce_sum(tfd.kl_divergence(posterior, prior)) / train_size  # []; a mean has 76.5 times the weight
        elbo = log_prob - kl  # []
    with tf.name_scope("optimize"):
        optimize = tf.train.AdamOptimizer(learning_rate).minimize(-elbo, step)
    with tf.name_scope("output"):
        mean, stddev = posterior.mean(), posterior.stddev()  # [784, 10]; [785, 10] with a Bayesian bias
        probability = dist.probs_parameter()  # [N, 10], by one draw of the weights
    return SimpleNamespace(**locals())


def evaluate(session: tf.Session, model: SimpleNamespace, images: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """The bound's terms, in nats, and the accuracy, with one draw of the weights for all images.

    A bound is `elbo` for the training images alone, as Q(weights) depends on their labels.
    """
    fetches = [model.elbo, model.log_prob, model.kl, model.probability]
    elbo, log_prob, kl, probability = session.run(fetches, {model.images: images, model.label: labels})
    accuracy = np.mean(probability.argmax(axis=1) == labels)
    return {"elbo": elbo, "log_prob": log_prob, "kl": kl, "accuracy": accuracy}


def average_bound(session: tf.Session, model: SimpleNamespace, data: mnist.Dataset, draws: int) -> dict[str, float]:
    """An image's share of the bound on the training data, and its two parts, in nats, averaged over draws."""
    total = 0.0
    for batch in mnist.batches(data, 10_000, seed=0):  # not all at once, for the memory that they take as floats
        feed = {model.images: batch.images, model.label: batch.labels}
        each_draw = [session.run(model.log_prob, feed | {model.noise_seed: [draw, -1]}) for draw in range(draws)]
        total += len(batch.labels) * np.mean(each_draw)
    log_prob = total / len(data.labels)
    kl = session.run(model.kl)
    return {"train_elbo_nats": log_prob - kl, "train_log_prob_nats": log_prob, "kl_nats": kl}


def predict(images: np.ndarray, session: tf.Session, model: SimpleNamespace, draws: int) -> np.ndarray:
    """P(label|image, weights) for images [N, 28, 28], by the same draws of the weights each time: [draws, N, 10]."""
    feeds = ({model.images: images, model.noise_seed: [draw, -1]} for draw in range(draws))
    return np.stack([session.run(model.probability, feed) for feed in feeds])


def main(
    epochs: int = 30,
    batch_size: int = 200,
    draws: int = 20,
    bayesian_bias: bool = False,
    learning_rate: float = 1e-3,
    seed: int = 0,
    logdir: Path = Path("runs/bayesian_network"),
    data_dir: Path = mnist.DATA_DIR,
    fresh: bool = False,
) -> dict:
    """Trains the Bayesian network of slides 27-29 on MNIST; goes on where an earlier run in the folder stopped.

    Args:
        epochs: passes over the 60,000 training images.
        batch_size: images in a mini-batch, which share one draw of the weights.
        draws: of the weights, to average predictions over once trained.
        bayesian_bias: let the bias have a distribution too.
        learning_rate: of Adam.
        seed: of the initial weights, the order of the images and the draws in training.
        logdir: the run's folder, for checkpoints, curves, pictures and numbers.
        data_dir: the folder with MNIST's four files.
        fresh: begin anew, replacing the run in the folder.

    Returns:
        What results.json says.
    """
    flags = {"learning_rate": learning_rate, "seed": seed}
    command_line.check_numbers(epochs=epochs, draws=draws, batch_size=batch_size, **flags)
    flags["bayesian_bias"] = bayesian_bias
    train, test = mnist.load("train", data_dir), mnist.load("test", data_dir)
    some = train.first(10_000)  # as many as there are test images
    shown = {"train": some, "test": test}
    config = flags | {"train_size": len(train.pixels), "batch_size": batch_size, "data": train.describe()}
    sources = (point_estimate.__file__,)
    with tf.Graph().as_default(), tf.Session() as session, Run(__file__, logdir, config, fresh, sources) as run:
        print(f"The network of slides 27-29 on {len(train.pixels):,} images of {train.name}.\nNats per test image:")
        model = build_graph(len(train.pixels), **flags)
        point = point_estimate.build_graph(model.images, model.label, learning_rate)  # to compare with
        summary = pictures.summarize(model)
        pixels, label = tf.placeholder(tf.uint8, [None, 28, 28], "pixels"), tf.placeholder(tf.int32, [None], "labels")
        both = tf.group(model.optimize, point.optimize, name="optimize_both")
        optimize_batches = each_batch(both, batch_size, {model.images: pixels, model.label: label})
        for epoch in run.epochs(session, epochs, len(train.pixels), slide=[model.elbo]):
            if epoch > 0:  # epoch 0 is the untrained model
                for batch in run.progress(mnist.batches(train, batch_size, [seed, epoch], BATCHES_PER_RUN)):
                    session.run(optimize_batches, {pixels: batch.pixels, label: batch.labels})
            for part, data in shown.items():
                numbers = evaluate(session, model, data.images, data.labels)
                names = numbers if part == "train" else ("log_prob", "accuracy")  # test images have no bound
                run.write(part, epoch, {name: numbers[name] for name in names})
            run.show("test", epoch, session.run(summary))
            of_point = point_estimate.evaluate(session, point, test.images, test.labels)
            run.write("point_estimate", epoch, of_point)
            run.save(session, epoch)

        predictors = {
            "bayesian": functools.partial(predict, session=session, model=model, draws=draws),
            "point_estimate": functools.partial(point_estimate.predict, session=session, point=point),
        }
        predictions = {name: predictor(test.images) for name, predictor in predictors.items()}
        numbers = {"draws": draws} | average_bound(session, model, train, draws)
        numbers |= uncertainty.measure(predictors, predictions, test.images, test.labels)
        numbers["pruning"] = pruning.measure(session, model, point, some.images.std(axis=0), test.images, test.labels)
        print(uncertainty.describe(numbers, list(predictors)))
        pictures.draw(session, model, run, predictions, test, numbers)
        return run.finish("unfamiliar.png", **numbers)


if __name__ == "__main__":
    command_line.run(main)
