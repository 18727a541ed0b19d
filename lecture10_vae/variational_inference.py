"""Slides 7-8: variational inference with a Q(z) for each image, and why an encoder should learn it instead.

First slide 7's algorithm on MNIST: a mean and stddev for each of 10,000 training images, as variables, trained together
with the decoder. Then slide 8's two arguments, measured on test images with the lecture's trained VAE (vae.py): how
many gradient steps an image needs to come where the encoder is in one pass, and what the encoder loses by being one
function for all images:

    ln P(x) - best bound of a Gaussian for this image      the approximation gap
    that bound - the bound of the encoder's Q(z|x)         the amortization gap    (Cremer, Li, Duvenaud 2018)

    python lecture10_vae/variational_inference.py

One minute on two cores. An image needs about 100 steps to reach the encoder's bound, at a hundred times the cost.
Of the 2.8 nats that the bound stays below ln P(x), the encoder loses 2.6 and the shape of the Gaussian 0.2 (seed 0).
"""

import contextlib
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from lecture10_vae import lower_bound, vae
from lecture10_vae.tf1 import set_random_seed, tf, tfd
from lecture10_vae.utils import command_line, mnist
from lecture10_vae.utils.command_line import UserError
from lecture10_vae.utils.training import BATCHES_PER_RUN, Run, each_batch

RECORDED_STEPS = (0, 1, 2, 5, 10, 20, 50, 100, 200, 400)


def make_posterior(index, num_images, code_size=2):
    """Q(z) for the images of an index [N], out of variables for all of them: batch shape [N]. Slide 7."""
    shape = [num_images, code_size]
    mean = tf.get_variable("mean", shape, initializer=tf.zeros_initializer())
    stddev = tf.get_variable("stddev", shape, initializer=tf.constant_initializer(inverse_softplus(1.0)))
    mean, stddev = tf.gather(mean, index), tf.nn.softplus(tf.gather(stddev, index))
    return tfd.MultivariateNormalDiag(mean, stddev + 1e-6)


def inverse_softplus(value):
    """What softplus sends to the value."""
    return np.log(np.expm1(value))


class VariationalInference(NamedTuple):
    """The tensors and operations of the graph."""

    pixels: tf.Tensor  # uint8 [N, 28, 28]
    images: tf.Tensor  # [N, 28, 28], grey in [0, 1]
    index: tf.Tensor  # int32 [N]: which of all images these are
    rate: tf.Tensor  # []: Adam's learning rate for the mean and stddev of each image
    draw: tf.Tensor  # int32 [2]: which draw of the noise to take
    mean: tf.Tensor  # [N, code_size], of Q(z)
    stddev: tf.Tensor  # [N, code_size], of Q(z)
    code: tf.Tensor  # [N, code_size], a sample of Q(z)
    log_prior: tf.Tensor  # [N], ln P(z) of that code
    logit: tf.Tensor  # [N, 28, 28], of the pixels given that code
    elbo: tf.Tensor  # [N], in nats
    infer: tf.Operation  # a gradient step on mean and stddev
    optimize: tf.Operation  # the same, and a gradient step on theta: slide 7
    noise: tf.Tensor  # [N, code_size], standard normal: what the next draws codes by
    optimize_batches: tf.Operation  # the same on mini-batch after mini-batch of the images fed, faster


def build_graph(
    num_images, code_size=2, hidden_size=100, batch_size=100, learning_rate=1e-3, seed=0
) -> VariationalInference:
    """Slide 7, as a static graph."""
    set_random_seed(seed)
    step = tf.train.get_or_create_global_step()
    with tf.name_scope("draw"):
        draw = tf.stack([seed, tf.cast(step, tf.int32)])
    pixels = tf.placeholder(tf.uint8, [None, 28, 28], "pixels")  # a quarter of what floats would take to feed
    images = tf.image.convert_image_dtype(pixels, tf.float32, name="images")
    index = tf.placeholder(tf.int32, [None], "index")
    rate = tf.placeholder_with_default(0.03, [], "rate")  # higher than theta's, as an image comes but once an epoch
    with tf.name_scope("prior"):
        prior = vae.make_prior(code_size)
    every_posterior = tf.make_template("posterior", make_posterior, num_images=num_images, code_size=code_size)
    decoder = tf.make_template("decoder", vae.make_decoder, hidden_size=hidden_size)
    posterior = every_posterior(index)
    with tf.name_scope("code"):
        mean, stddev = posterior.mean(), posterior.stddev()
        code = posterior.sample(seed=draw)  # z = sigma eps + mu
    dist = decoder(code)

    with tf.name_scope("elbo"):
        elbo = dist.log_prob(images) - tfd.kl_divergence(posterior, prior)
        log_prior = prior.log_prob(code)
        loss = -tf.reduce_mean(elbo)
    variables, theta = tf.trainable_variables("posterior"), tf.trainable_variables("decoder")
    inference, learning = tf.train.AdamOptimizer(rate), tf.train.AdamOptimizer(learning_rate)
    with tf.name_scope("infer"):
        infer = inference.minimize(loss, step, variables)
    with tf.name_scope("optimize"):
        optimize = tf.group(infer, learning.minimize(loss, var_list=theta))

    def optimize_batch(pixels, index, noise):  # the same once more, as XLA compiles it
        images = tf.image.convert_image_dtype(pixels, tf.float32)
        posterior = every_posterior(index)
        dist = decoder(posterior.mean() + posterior.stddev() * noise)
        loss = -tf.reduce_mean(dist.log_prob(images) - tfd.kl_divergence(posterior, prior))
        gradients = tf.gradients(loss, variables + theta)
        inference.apply_gradients(zip(gradients[:2], variables, strict=True), step)
        return learning.apply_gradients(zip(gradients[2:], theta, strict=True))

    with tf.name_scope("optimize_batches"):
        noise = tf.random.stateless_normal([tf.shape(pixels)[0], code_size], draw, name="noise")
        optimize_batches = each_batch(optimize_batch, batch_size, pixels, index, noise)
    logit = dist.distribution.logits
    return VariationalInference(
        pixels, images, index, rate, draw, mean, stddev, code, log_prior, logit, elbo,
        infer, optimize, noise, optimize_batches,
    )  # fmt: skip


def average_bound(session: tf.Session, graph, feed: dict, draws=100, first_draw=0) -> np.ndarray:
    """The bound of each image, [N] in nats, averaged over draws of its code; of this graph or of vae.py's."""
    bounds = [session.run(graph.elbo, feed | {graph.draw: [first_draw + draw, -1]}) for draw in range(draws)]
    return np.mean(bounds, axis=0)


@contextlib.contextmanager
def trained_vae(logdir: Path, data_dir: Path) -> Iterator[tuple[tf.Session, vae.VAE]]:
    """The lecture's VAE as vae.py left it in its run folder, or trained there now if there is none."""
    if not (logdir / "results.json").exists():
        print(f"{logdir} holds no trained VAE; training one there first.")
        vae.main(logdir=logdir, data_dir=data_dir)
    config = json.loads((logdir / "config.json").read_text())
    if config["script"] != "vae" or config["code_size"] != 2:
        raise UserError(f"{logdir} holds no VAE with a code of two dimensions: choose another --vae-logdir.")
    with tf.Graph().as_default(), tf.Session() as session:
        graph = vae.build_graph(2, config["hidden_size"])
        tf.train.Saver().restore(session, tf.train.latest_checkpoint(str(logdir / "checkpoints")))
        yield session, graph


def infer_images(session, graph, images, start=None, steps=RECORDED_STEPS[-1]) -> tuple[dict[int, float], float]:
    """Fits mean and stddev of each image, theta fixed: from the prior, or from a start (mean, stddev), on.

    Returns:
        bounds: step to the bound in nats, mean over the images, at the recorded steps.
        seconds: that the gradient steps took.
    """
    variables = tf.trainable_variables("posterior")
    session.run(tf.variables_initializer(set(tf.global_variables()) - set(tf.trainable_variables("decoder"))))
    if start is not None:
        variables[0].load(start[0], session)
        variables[1].load(inverse_softplus(start[1]), session)
    feed = {graph.images: images, graph.index: np.arange(len(images))}
    bounds, seconds = {}, 0.0
    for step in range(steps + 1):
        if step in RECORDED_STEPS:
            bounds[step] = float(average_bound(session, graph, feed, draws=10).mean())
        started = time.perf_counter()
        if step < steps:  # a rate that falls to 0 lets the noise of the samples average out
            session.run(graph.infer, feed | {graph.rate: 0.1 * (1 - step / steps)})
        seconds += time.perf_counter() - started
    return bounds, seconds


def measure_gaps(session, graph, vae_session, vae_graph, images) -> dict[str, object]:
    """Slide 8 on test images: the exact ln P(x), the best Gaussian for each image, and the encoder's, in nats."""
    found = {}
    vae_session.run(vae_graph.mean, {vae_graph.images: images})  # the first call of a session also prepares the graph
    started = time.perf_counter()
    encoded = vae_session.run([vae_graph.mean, vae_graph.stddev], {vae_graph.images: images})
    found["encoder_seconds"] = time.perf_counter() - started
    found["encoder_elbo"] = average_bound(vae_session, vae_graph, {vae_graph.images: images})
    found["log_likelihood"] = vae.log_likelihood_by_quadrature(vae_session, vae_graph, images)

    # A posterior may have two humps: climb from the prior and from the encoder's Q, and keep the better end. Which one
    # is better is seen on some draws, and how good it is on others, so that luck is not counted.
    feed = {graph.images: images, graph.index: np.arange(len(images))}
    ends = []
    for start in (None, encoded):
        bounds, seconds = infer_images(session, graph, images, start)
        choose, score = (average_bound(session, graph, feed, first_draw=first) for first in (0, 100))
        ends.append((choose, score, *session.run([graph.mean, graph.stddev], feed)))
        if start is None:
            found["bounds"], found["inference_seconds"] = bounds, seconds
    better = ends[1][0] > ends[0][0]
    found["per_image_elbo"] = np.where(better, ends[1][1], ends[0][1])
    found["per_image"] = [np.where(better[:, np.newaxis], ends[1][i], ends[0][i]) for i in (2, 3)]
    found["encoder"] = encoded
    return found


def draw_figures(vae_session, vae_graph, test: mnist.Dataset, found: dict, folder: Path) -> None:
    """The bound against gradient steps; for each of eight digits the posterior and the two Gaussians."""
    from lecture10_vae.utils import plotting  # here, since matplotlib takes half a second to load

    levels = {
        "ln P(x)": found["log_likelihood"].mean(),
        "best Gaussian for each image": found["per_image_elbo"].mean(),
        "encoder, one pass": found["encoder_elbo"].mean(),
    }
    bounds = found["bounds"]
    plotting.save(plotting.inference(list(bounds), list(bounds.values()), levels), folder / "steps.png")
    panels = []
    digits = [digit for digit in (0, 1, 2, 3, 4, 5, 7, 8) if digit in test.labels]
    for i in [np.flatnonzero(test.labels == digit)[0] for digit in digits]:
        gaussians = {
            "best Gaussian for this image": [values[i] for values in found["per_image"]],
            "encoder's Q(z|x)": [values[i] for values in found["encoder"]],
        }
        around, width = np.mean([mean for mean, _ in gaussians.values()], axis=0), 0.0
        for mean, stddev in gaussians.values():
            width = max(width, np.abs(mean - around).max() + 4 * stddev.max())
        codes = around + lower_bound.code_grid(points=101, half_width=width)[0]
        panels.append(
            (test.images[i], codes, vae.log_joint(vae_session, vae_graph, test.images[i : i + 1], codes)[0], gaussians)
        )
    plotting.save(plotting.posteriors(panels), folder / "posteriors.png")


def report(found: dict, images: int) -> dict[str, float]:
    """Prints the gaps as Cremer et al. lay theirs out, and returns means and standard errors over the images."""
    rows = {
        "test_log_likelihood": ("ln P(x), by quadrature", found["log_likelihood"]),
        "per_image_elbo": ("bound, best Gaussian for each image", found["per_image_elbo"]),
        "encoder_elbo": ("bound, encoder", found["encoder_elbo"]),
        "approximation_gap": ("approximation gap", found["log_likelihood"] - found["per_image_elbo"]),
        "amortization_gap": ("amortization gap", found["per_image_elbo"] - found["encoder_elbo"]),
        "inference_gap": ("both: inference gap", found["log_likelihood"] - found["encoder_elbo"]),
    }
    results = {}
    print(f"\nThe lecture's VAE on the first {images:,} test images, grey, nats per image (standard error)")
    for name, (title, values) in rows.items():
        results[f"{name}_nats"] = values.mean()
        results[f"{name}_standard_error_nats"] = values.std(ddof=1) / np.sqrt(len(values))
        print(f"    {title:36s}{values.mean():9.2f} ({results[f'{name}_standard_error_nats']:.2f})")
    thousand = 1_000 / images
    for name, title in (
        ("encoder", "encoder, one pass"),
        ("inference", f"{RECORDED_STEPS[-1]} gradient steps for each image"),
    ):
        results[f"{name}_seconds_per_1000_images"] = found[f"{name}_seconds"] * thousand
        print(f"    {title:36s}{found[f'{name}_seconds'] * thousand:9.3f} s per 1,000 images")
    return results


def main(
    epochs: int = 50,
    train_images: int = 10_000,
    test_images: int = 2_000,
    batch_size: int = 100,
    hidden_size: int = 100,
    learning_rate: float = 1e-3,
    seed: int = 0,
    logdir: Path = Path("runs/variational_inference"),
    vae_logdir: Path = Path("runs/vae"),
    data_dir: Path = mnist.DATA_DIR,
    fresh: bool = False,
) -> dict:
    """Trains slide 7's model, a Q(z) for each image; then measures slide 8's arguments on the VAE of vae.py.

    Args:
        epochs: passes over the training images.
        train_images: how many of MNIST's training images get a Q(z).
        test_images: how many of its test images are inferred for slide 8.
        batch_size: images in a mini-batch.
        hidden_size: units in the decoder's hidden layer.
        learning_rate: of Adam, for the decoder.
        seed: of the initial weights, the order of the images and the noise.
        logdir: the run's folder, for checkpoints, curves, pictures and numbers.
        vae_logdir: the run folder of vae.py whose VAE is measured; trained if there is none.
        data_dir: the folder with MNIST's four files.
        fresh: begin anew, replacing the run in the folder.

    Returns:
        What results.json says.
    """
    config = {"train_images": train_images, "batch_size": batch_size, "hidden_size": hidden_size}
    config |= {"learning_rate": learning_rate, "seed": seed}
    command_line.check_numbers(epochs=epochs, test_images=test_images, **config)
    train, test = mnist.load("train", data_dir), mnist.load("test", data_dir)
    train = mnist.Dataset(train.pixels[:train_images], np.arange(min(train_images, len(train.labels))))
    test = mnist.Dataset(test.pixels[:test_images], test.labels[:test_images])
    with tf.Graph().as_default(), tf.Session() as session, Run("variational_inference", logdir, config, fresh) as run:
        print(f"Slide 7 on {len(train.pixels):,} grey MNIST digits, each with a Q(z) of its own; nats per image:")
        graph = build_graph(len(train.pixels), 2, hidden_size, batch_size, learning_rate, seed)
        for epoch in run.epochs(session, epochs, len(train.pixels)):
            if epoch > 0:  # epoch 0 is the untrained model
                for pixels, index in run.progress(mnist.batches(train, batch_size, [seed, epoch], BATCHES_PER_RUN)):
                    session.run(graph.optimize_batches, {graph.pixels: pixels, graph.index: index})
            elbo = session.run(graph.elbo, {graph.pixels: train.pixels, graph.index: train.labels}).mean()
            run.write("train", epoch, {"elbo": elbo})
            run.save(session, epoch)
        log_likelihood = vae.log_likelihood_by_quadrature(session, graph, test.images).mean()
        print(f"ln P(x) of its decoder on {len(test.pixels):,} test images {log_likelihood:.2f}, by quadrature")

        with trained_vae(Path(vae_logdir), data_dir) as (vae_session, vae_graph):
            weights = vae_session.run(tf.trainable_variables("decoder"))
            hidden_size = weights[0].shape[1]
            with tf.Graph().as_default(), tf.Session() as session:
                graph = build_graph(len(test.pixels), 2, hidden_size)
                for variable, value in zip(tf.trainable_variables("decoder"), weights, strict=True):
                    variable.load(value, session)
                found = measure_gaps(session, graph, vae_session, vae_graph, test.images)
            draw_figures(vae_session, vae_graph, test, found, run.figures_dir)
        return run.finish(
            train_elbo_nats=elbo,
            slide_7_test_log_likelihood_nats=log_likelihood,
            per_image_elbo_by_step_nats={str(step): bound for step, bound in found["bounds"].items()},
            test_images=len(test.pixels),
            **report(found, len(test.pixels)),
        )


if __name__ == "__main__":
    command_line.run(main)
