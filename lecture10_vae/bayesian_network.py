"""Slides 11 and 27-29: a Bayesian neural network, on MNIST, and what its uncertainty is worth.

The weights of one layer have Gaussians Q(weights) in place of values. The training set's N images share them, so that
one image's share of the bound, in nats, holds an N-th of the divergence:

    1/N ln P(labels|images) >= E_Q[ln P(label|image, weights)] - KL[Q(weights) || P(weights)] / N

    python lecture10_vae/bayesian_network.py

After 30 epochs, 15 seconds on two cores, and 20 more to try it, it is right on about 92.7 % of MNIST's test images,
with a calibration error of about 0.017 and a bound of about -0.448. What a layer without Q does on the same batches:

- On test digits, no worse: 92.8 %, the same log predictive probability (both -0.261), and better calibrated
  (0.013), as averaging over draws makes answers more modest that were modest enough.
- On turned digits, hardly worse: wrong as often, and almost as sure. One linear layer doubts ink in places where it
  saw none, not shapes that it never saw.
- On shuffled pixels and noise, much worse: these put ink where the digits have none, the weights there still have the
  prior's stddev, and draws disagree. It is the mutual information that tells: from digits, almost without fail.
- Pruned by size, much worse than by signal to noise, but about as good if its weights are scaled by their pixels.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from lecture10_vae.tf1 import set_random_seed, tf, tfd
from lecture10_vae.utils import calibration, command_line, mnist, uncertainty
from lecture10_vae.utils.training import BATCHES_PER_RUN, Run, each_batch

DEGREES = list(range(0, 181, 15))  # to turn the test digits by
KEPT = [1.0, 0.5, 0.3, 0.2, 0.1, 0.05, 0.03, 0.02, 0.01]  # fractions of the weights, when the others are pruned


def define_network(images, num_classes=10, draw=None, noise=None, bayesian_bias=False):
    """P(label|image) for images [N, 28, 28] by one draw of the weights, Q(weights) and P(weights). Slides 27-28.

    Q and P have batch shape [784], or [785] with a Bayesian bias, and event shape [num_classes]. The weights are drawn
    with the seed `draw`, or made of standard normal noise if it is given.
    """
    images = tf.layers.flatten(images)
    if bayesian_bias:  # the weight of an input that is always 1
        images = tf.pad(images, [[0, 0], [0, 1]], constant_values=1)
    mean = tf.get_variable("mean", [images.shape[1], num_classes])
    small = tf.constant_initializer(-4)  # softplus(-4) = 0.018; the default's 0.69 would swamp the logits with noise
    stddev = tf.get_variable("stddev", [images.shape[1], num_classes], initializer=small)
    prior = tfd.MultivariateNormalDiag(tf.zeros_like(mean), tf.ones_like(stddev))
    posterior = tfd.MultivariateNormalDiag(mean, tf.nn.softplus(stddev))
    bias = 0.0 if bayesian_bias else tf.get_variable("bias", [num_classes])
    weights = posterior.sample(seed=draw) if noise is None else posterior.mean() + posterior.stddev() * noise
    logit = tf.matmul(images, weights) + bias  # no relu: ten negative logits would learn nothing
    return tfd.Categorical(logits=logit), posterior, prior


def define_point_estimate(images, num_classes=10):
    """What the Bayesian layer is measured against: one of the same shape, whose weights are values."""
    return tfd.Categorical(logits=tf.layers.dense(tf.layers.flatten(images), num_classes))


class BayesianNetwork(NamedTuple):
    """The tensors and operations of the graph."""

    pixels: tf.Tensor  # uint8 [N, 28, 28]
    images: tf.Tensor  # [N, 28, 28], grey in [0, 1]
    label: tf.Tensor  # int32 [N]
    draw: tf.Tensor  # int32 [2]: which draw of the weights to take
    mean: tf.Tensor  # [784, 10], of Q(weights); [785, 10] with a Bayesian bias
    stddev: tf.Tensor  # likewise
    probability: tf.Tensor  # [N, 10], of each digit by that draw
    log_prob: tf.Tensor  # [], ln P(label|image, weights), mean over the images, in nats
    kl: tf.Tensor  # [], an image's share of KL[Q(weights) || P(weights)], in nats
    elbo: tf.Tensor  # [], an image's share
    point_probability: tf.Tensor  # [N, 10], by the point estimate
    optimize: tf.Operation  # a gradient step of both on all images fed, as on the slide
    noise: tf.Tensor  # [784 * mini-batches, 10], standard normal: what the next draws weights by
    optimize_batches: tf.Operation  # the same on mini-batch after mini-batch of the images fed, faster
    summary: tf.Tensor  # for TensorBoard


def build_graph(train_size=60_000, bayesian_bias=False, batch_size=200, learning_rate=1e-3, seed=0) -> BayesianNetwork:
    """Slides 27-29, as a static graph, and the point estimate beside."""
    set_random_seed(seed)
    step = tf.train.get_or_create_global_step()
    with tf.name_scope("draw"):
        draw = tf.stack([seed, tf.cast(step, tf.int32)])  # new weights each step, the same whenever a run is repeated

    pixels = tf.placeholder(tf.uint8, [None, 28, 28], "pixels")  # a quarter of what floats would take to feed
    images = tf.image.convert_image_dtype(pixels, tf.float32, name="images")
    label = tf.placeholder(tf.int32, [None], "label")
    network = tf.make_template("network", define_network, bayesian_bias=bayesian_bias)
    point_estimate = tf.make_template("point_estimate", define_point_estimate)
    dist, posterior, prior = network(images, draw=draw)
    point = point_estimate(images)
    with tf.name_scope("output"):
        mean, stddev, probability = posterior.mean(), posterior.stddev(), dist.probs_parameter()
        point_log_prob, point_probability = tf.reduce_mean(point.log_prob(label)), point.probs_parameter()

    with tf.name_scope("elbo"):  # Slide 29
        log_prob = tf.reduce_mean(dist.log_prob(label))
        kl = tf.reduce_sum(tfd.kl_divergence(posterior, prior)) / train_size  # a mean would be 76.5 times too heavy
        elbo = log_prob - kl
    optimizer, point_optimizer = tf.train.AdamOptimizer(learning_rate), tf.train.AdamOptimizer(learning_rate)
    with tf.name_scope("optimize"):
        optimize = tf.group(optimizer.minimize(-elbo, step), point_optimizer.minimize(-point_log_prob))

    def optimize_batch(pixels, label, noise):  # the same once more, as XLA compiles it
        images = tf.image.convert_image_dtype(pixels, tf.float32)
        dist, posterior, prior = network(images, noise=noise)
        kl = tf.reduce_sum(tfd.kl_divergence(posterior, prior)) / train_size
        elbo = tf.reduce_mean(dist.log_prob(label)) - kl
        point_log_prob = tf.reduce_mean(point_estimate(images).log_prob(label))
        return tf.group(optimizer.minimize(-elbo, step), point_optimizer.minimize(-point_log_prob))

    with tf.name_scope("optimize_batches"):
        batches = tf.maximum(tf.shape(pixels)[0] // batch_size, 1)
        noise = tf.random.stateless_normal([batches * mean.shape[0], mean.shape[1]], draw, name="noise")
        optimize_batches = each_batch(optimize_batch, batch_size, pixels, label, noise)
    with tf.name_scope("summary"):
        summary = tf.summary.merge(
            [
                tf.summary.scalar("point_log_prob", point_log_prob),
                tf.summary.histogram("mean", mean),
                tf.summary.histogram("stddev", stddev),
                tf.summary.image("mean_by_class", ten_pictures(mean), max_outputs=1),
                tf.summary.image("stddev_by_class", ten_pictures(stddev), max_outputs=1),
            ]
        )
    return BayesianNetwork(
        pixels, images, label, draw, mean, stddev, probability,
        log_prob, kl, elbo, point_probability, optimize, noise, optimize_batches, summary,
    )  # fmt: skip


def ten_pictures(weights):
    """Weights [784, 10], one picture a class, side by side for TensorBoard: [1, 28, 280, 1]."""
    return tf.reshape(tf.transpose(tf.reshape(weights[:784], [28, 28, 10]), [0, 2, 1]), [1, 28, 280, 1])


def evaluate(session: tf.Session, graph: BayesianNetwork, data: mnist.Dataset) -> tuple[dict[str, float], bytes]:
    """The bound, its two parts and the accuracy with one draw of the weights; and the summary."""
    elbo, log_prob, kl, probability, point_probability, summary = session.run(
        [graph.elbo, graph.log_prob, graph.kl, graph.probability, graph.point_probability, graph.summary],
        {graph.pixels: data.pixels, graph.label: data.labels},
    )
    return {
        "elbo": elbo,
        "log_prob": log_prob,
        "kl": kl,
        "accuracy": np.mean(probability.argmax(axis=1) == data.labels),
        "point_accuracy": np.mean(point_probability.argmax(axis=1) == data.labels),
    }, summary


def make_predictors(session: tf.Session, graph: BayesianNetwork, draws: int) -> dict[str, uncertainty.Predictor]:
    """Functions from images to P(label|image, weights), [draws, N, 10]; the draws are the same for any images."""

    def bayesian(images):
        feeds = ({graph.images: images, graph.draw: [draw, -1]} for draw in range(draws))
        return np.stack([session.run(graph.probability, feed) for feed in feeds])

    def point_estimate(images):
        return session.run(graph.point_probability, {graph.images: images})[np.newaxis]

    return {"bayesian": bayesian, "point_estimate": point_estimate}


def bound(session: tf.Session, graph: BayesianNetwork, data: mnist.Dataset, draws: int) -> dict[str, float]:
    """The bound and its two parts, averaged over draws of the weights."""
    feed = {graph.pixels: data.pixels, graph.label: data.labels}
    log_prob = [session.run(graph.log_prob, feed | {graph.draw: [draw, -1]}) for draw in range(draws)]
    kl = session.run(graph.kl)
    return {"test_elbo_nats": np.mean(log_prob) - kl, "test_log_prob_nats": np.mean(log_prob), "test_kl_nats": kl}


def report_pruning(session: tf.Session, graph: BayesianNetwork, train, test) -> dict[str, list[float]]:
    """Test accuracy with fewer and fewer of the mean weights, and of the point estimate's, for ways to choose them."""
    mean, stddev = session.run([graph.mean, graph.stddev])
    values = session.run({variable.op.name: variable for variable in tf.trainable_variables()})
    bias = values["network/bias"] if "network/bias" in values else mean[784]
    mean, stddev = mean[:784], stddev[:784]
    kernel, kernel_bias = values["point_estimate/dense/kernel"], values["point_estimate/dense/bias"]
    effect = np.abs(kernel) * train.images.reshape(-1, 784).std(axis=0)[:, np.newaxis]
    return {
        "kept": KEPT,
        "by_signal_to_noise": uncertainty.under_pruning(
            mean, bias, np.abs(mean) / stddev, test.images, test.labels, KEPT
        ),
        "by_mean": uncertainty.under_pruning(mean, bias, np.abs(mean), test.images, test.labels, KEPT),
        "point_estimate_by_size": uncertainty.under_pruning(
            kernel, kernel_bias, np.abs(kernel), test.images, test.labels, KEPT
        ),
        "point_estimate_by_effect": uncertainty.under_pruning(
            kernel, kernel_bias, effect, test.images, test.labels, KEPT
        ),
    }


def draw_figures(session: tf.Session, graph: BayesianNetwork, run: Run, predictors, test, results: dict) -> None:
    """weights.png, reliability.png, doubtful.png, rotation.png, unfamiliar.png and pruning.png."""
    from lecture10_vae.utils import plotting  # here, since matplotlib takes half a second to load

    mean, stddev = session.run([graph.mean, graph.stddev])
    plotting.save(plotting.weights(mean[:784], stddev[:784]), run.figures_dir / "weights.png")
    names = {"bayesian": "Bayesian", "point_estimate": "point estimate"}
    predictions = {names[key]: predict(test.images) for key, predict in predictors.items()}
    means = {name: prediction.mean(axis=0) for name, prediction in predictions.items()}
    found = {name: calibration.reliability(mean, test.labels) for name, mean in means.items()}
    plotting.save(plotting.reliability(found), run.figures_dir / "reliability.png")

    entropy = uncertainty.split_entropy(predictions["Bayesian"])
    chosen = np.concatenate([np.argsort(-entropy.expected_entropy)[:6], np.argsort(-entropy.mutual_information)[:6]])
    draws = predictions["Bayesian"][:, chosen]
    title = "Doubtful test digits, a dot for each draw of the weights: above, each draw doubts; below, they disagree"
    shown = {"draws": draws, "name": "probability", "title": title}
    figure = plotting.outputs(test.images[chosen], test.labels[chosen], draws.mean(axis=0), **shown)
    plotting.save(figure, run.figures_dir / "doubtful.png")

    turned = np.concatenate([uncertainty.turn(test.images[test.labels == 6][:1], angle) for angle in DEGREES])
    plotting.save(plotting.rotation(turned, **results["rotation"]), run.figures_dir / "rotation.png")
    examples = {"test digits": test.images} | uncertainty.make_unfamiliar(test.images)
    plotting.save(plotting.unfamiliar(examples, **results["unfamiliar"]), run.figures_dir / "unfamiliar.png")
    plotting.save(plotting.pruning(**results["pruning"]), run.figures_dir / "pruning.png")


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
        logdir: the run's folder, for checkpoints, curves, pictures and figures.
        data_dir: the folder with MNIST's four files.
        fresh: begin anew, replacing the run in the folder.

    Returns:
        What results.json says.
    """
    config = {"batch_size": batch_size, "learning_rate": learning_rate, "seed": seed}
    command_line.check_numbers(epochs=epochs, draws=draws, **config)
    config["bayesian_bias"] = bayesian_bias
    train, test = mnist.load("train", data_dir), mnist.load("test", data_dir)
    with tf.Graph().as_default(), tf.Session() as session, Run("bayesian_network", logdir, config, fresh) as run:
        train_sample = mnist.Dataset(train.pixels[:10_000], train.labels[:10_000])
        print(f"The Bayesian network of slides 27-29 on {len(train.pixels):,} MNIST digits; test set, nats per image:")
        graph = build_graph(len(train.pixels), bayesian_bias, batch_size, learning_rate, seed)
        for epoch in run.epochs(session, epochs, len(train.pixels)):
            if epoch > 0:  # epoch 0 is the untrained model
                for pixels, labels in run.progress(mnist.batches(train, batch_size, [seed, epoch], BATCHES_PER_RUN)):
                    session.run(graph.optimize_batches, {graph.pixels: pixels, graph.label: labels})
            run.write("train", epoch, *evaluate(session, graph, train_sample))
            run.write("test", epoch, *evaluate(session, graph, test))
            run.save(session, epoch)

        predictors = make_predictors(session, graph, draws)
        results = {"draws": draws} | bound(session, graph, test, draws)
        results |= uncertainty.report(predictors, test.images, test.labels, DEGREES)
        results["pruning"] = report_pruning(session, graph, train, test)
        draw_figures(session, graph, run, predictors, test, results)
        return run.finish(**results)


if __name__ == "__main__":
    command_line.run(main)
