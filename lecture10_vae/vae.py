"""Slides 9-10 and 22-26: the variational auto-encoder (VAE), on MNIST.

A decoder P(x|z) makes an image of a code z, an encoder Q(z|x) infers the code of an image, and both learn together by
gradient ascent on the lower bound of slide 6, in nats per image:

    ln P(x) >= E_Q[ln P(x|z)] - KL[Q(z|x) || P(z)]        elbo = reconstruction - kl

    python lecture10_vae/vae.py

The bound on the 10,000 test images, with grey pixels, starts near -544 and reaches -158.0 after 15 epochs (seed 0), and
ln P(x) -155.3: half a minute on two cores. Pictures, numbers and TensorBoard's curves are in runs/vae;
`python lecture10_vae/utils/show_runs.py` shows the latter.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy.special import logsumexp, ndtri

from lecture10_vae import lower_bound
from lecture10_vae.tf1 import set_random_seed, tf, tfd
from lecture10_vae.utils import command_line, mnist
from lecture10_vae.utils.training import BATCHES_PER_RUN, Run, each_batch


def make_prior(code_size=2):
    """P(z) = N(0, I): batch shape [], event shape [code_size]. Slide 24."""
    mean, stddev = tf.zeros([code_size]), tf.ones([code_size])
    return tfd.MultivariateNormalDiag(mean, stddev)


def make_encoder(images, code_size=2, hidden_size=100):
    """Q(z|x) for images [N, 28, 28]: batch shape [N], event shape [code_size]. Slide 24."""
    images = tf.layers.flatten(images)
    hidden = tf.layers.dense(images, hidden_size, tf.nn.relu)
    mean = tf.layers.dense(hidden, code_size)
    stddev = tf.layers.dense(hidden, code_size, tf.nn.softplus)
    return tfd.MultivariateNormalDiag(mean, stddev + 1e-6)  # softplus alone can reach 0, and the KL infinity


def make_decoder(code, data_shape=(28, 28), hidden_size=100):
    """P(x|z) for codes [N, code_size]: batch shape [N], event shape data_shape. Slide 25."""
    hidden = tf.layers.dense(code, hidden_size, tf.nn.relu)
    logit = tf.layers.dense(hidden, np.prod(data_shape))
    logit = tf.reshape(logit, [-1, *data_shape])
    return tfd.Independent(tfd.Bernoulli(logits=logit), len(data_shape))  # by position, a Bernoulli takes logits too


class VAE(NamedTuple):
    """The tensors and operations of the graph; each of the bound's parts has one number an image, in nats."""

    pixels: tf.Tensor  # uint8 [N, 28, 28]
    images: tf.Tensor  # [N, 28, 28], grey in [0, 1]
    draw: tf.Tensor  # int32 [2]: which draw of the noise to take
    mean: tf.Tensor  # [N, code_size], of Q(z|x)
    stddev: tf.Tensor  # [N, code_size], of Q(z|x)
    code: tf.Tensor  # [N, code_size], a sample of Q(z|x)
    log_prior: tf.Tensor  # [N], ln P(z) of that code
    logit: tf.Tensor  # [N, 28, 28], of the pixels given that code
    reconstruction: tf.Tensor  # [N], ln P(x|z)
    kl: tf.Tensor  # [N], KL[Q(z|x) || P(z)]
    elbo: tf.Tensor  # [N]
    log_weight: tf.Tensor  # [N], ln P(x,z) - ln Q(z|x)
    optimize: tf.Operation  # a gradient step on all images fed, as on the slide
    noise: tf.Tensor  # [N, code_size], standard normal: what the next draws codes by
    optimize_batches: tf.Operation  # the same on mini-batch after mini-batch of them, faster
    samples: tf.Tensor  # [10, 28, 28], decoded codes of the prior
    summary: tf.Tensor  # for TensorBoard


def build_graph(code_size=2, hidden_size=100, batch_size=100, learning_rate=1e-3, seed=0) -> VAE:
    """Slides 22-23, as a static graph."""
    set_random_seed(seed)
    step = tf.train.get_or_create_global_step()

    # Templates, so that every call of the encoder, and of the decoder, shares one set of weights
    encoder = tf.make_template("encoder", make_encoder, code_size=code_size, hidden_size=hidden_size)
    decoder = tf.make_template("decoder", make_decoder, hidden_size=hidden_size)

    pixels = tf.placeholder(tf.uint8, [None, 28, 28], "pixels")  # a quarter of what floats would take to feed
    images = tf.image.convert_image_dtype(pixels, tf.float32, name="images")
    with tf.name_scope("prior"):
        prior = make_prior(code_size)
    posterior = encoder(images)
    with tf.name_scope("code"):
        draw = tf.stack([seed, tf.cast(step, tf.int32)])  # new at each step, the same whenever a run is repeated
        code = posterior.sample(seed=draw)
        mean, stddev = posterior.mean(), posterior.stddev()
    dist = decoder(code)

    with tf.name_scope("elbo"):
        reconstruction = dist.log_prob(images)
        kl = tfd.kl_divergence(posterior, prior)
        elbo = reconstruction - kl
        log_prior = prior.log_prob(code)
        log_weight = reconstruction + log_prior - posterior.log_prob(code)  # the bound's first form on slide 6
    optimizer = tf.train.AdamOptimizer(learning_rate)
    with tf.name_scope("optimize"):  # the mean, so that the step does not grow with the batch
        optimize = optimizer.minimize(-tf.reduce_mean(elbo), step)

    def optimize_batch(pixels, noise):  # the same once more, as XLA compiles it
        images = tf.image.convert_image_dtype(pixels, tf.float32)
        posterior = encoder(images)
        stddev = tf.ensure_shape(posterior.stddev(), noise.shape)  # of one dimension it does not know the number
        dist = decoder(posterior.mean() + stddev * noise)
        elbo = dist.log_prob(images) - tfd.kl_divergence(posterior, prior)
        return optimizer.minimize(-tf.reduce_mean(elbo), step)

    with tf.name_scope("optimize_batches"):
        noise = tf.random.stateless_normal([tf.shape(pixels)[0], code_size], draw, name="noise")
        optimize_batches = each_batch(optimize_batch, batch_size, pixels, noise)

    with tf.name_scope("samples"):
        samples = decoder(prior.sample(10, seed=[seed, 0])).mean()  # for visualization
    with tf.name_scope("summary"):
        pairs = tf.concat([images, dist.mean()], axis=1)
        summary = tf.summary.merge(
            [
                tf.summary.histogram("code_mean", mean),
                tf.summary.histogram("code_stddev", stddev),
                tf.summary.image("samples", side_by_side(samples), max_outputs=1),
                tf.summary.image("reconstructions", side_by_side(pairs[:10]), max_outputs=1),
            ]
        )
    return VAE(
        pixels, images, draw, mean, stddev, code, log_prior, dist.distribution.logits,
        reconstruction, kl, elbo, log_weight, optimize, noise, optimize_batches, samples, summary,
    )  # fmt: skip


def side_by_side(images):
    """Images [N, height, width] as a picture for TensorBoard, [1, height, N * width, 1]."""
    picture = tf.reshape(tf.transpose(images, [1, 0, 2]), [1, images.shape[1], -1, 1])
    return tf.image.convert_image_dtype(picture, tf.uint8)  # of floats it would make the largest white


def evaluate(session: tf.Session, graph: VAE, pixels: np.ndarray) -> tuple[dict[str, float], bytes]:
    """The bound and its two parts, means over the images with one sample of the code for each; and the summary."""
    bound = {"elbo": graph.elbo, "reconstruction": graph.reconstruction, "kl": graph.kl}
    first, *others = np.array_split(pixels, 4)  # quarters take a quarter of the memory
    found, summary = session.run([bound, graph.summary], {graph.pixels: first})
    quarters = [found, *(session.run(bound, {graph.pixels: some}) for some in others)]
    return {name: np.concatenate([found[name] for found in quarters]).mean() for name in bound}, summary


def log_joint(session: tf.Session, graph: VAE, images: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """ln P(x,z) in nats for all pairs of N images and M codes, [N, M], from one matrix product.

    A Bernoulli's ln P(x|z) is x logit - ln(1 + exp(logit)), summed over the pixels.
    """
    logit, log_prior = session.run([graph.logit, graph.log_prior], {graph.code: codes})
    logit = logit.reshape(len(codes), -1)
    return images.reshape(len(images), -1) @ logit.T - np.logaddexp(0, logit).sum(axis=1) + log_prior


def log_likelihood_by_quadrature(session: tf.Session, graph: VAE, images: np.ndarray, half_width=6.0, points=121):
    """ln P(x) in nats, [N], summed over a grid of codes of two dimensions (slide 5; see `lower_bound.code_grid`)."""
    codes, cell = lower_bound.code_grid(points, half_width)
    log_likelihood = np.full(len(images), -np.inf)
    for some_codes in np.array_split(codes, 50):
        part = lower_bound.log_integral(log_joint(session, graph, images, some_codes), cell)
        log_likelihood = np.logaddexp(log_likelihood, part)
    return log_likelihood


def log_likelihood_by_importance(session: tf.Session, graph: VAE, images: np.ndarray, draws: int = 200) -> np.ndarray:
    """ln of the mean of P(x,z) / Q(z|x) over draws from Q(z|x), in nats, [N]: ln P(x), or on average less."""
    log_weights = [
        session.run(graph.log_weight, {graph.images: images, graph.draw: [draw, -1]}) for draw in range(draws)
    ]
    return logsumexp(log_weights, axis=0) - np.log(draws)


def report_log_likelihood(session: tf.Session, graph: VAE, images: np.ndarray) -> dict[str, object]:
    """ln P(x) of the images, their mean, and how it was found."""
    if graph.code.shape[1] != 2:
        mean = log_likelihood_by_importance(session, graph, images).mean()
        return {"test_log_likelihood_nats": mean, "log_likelihood_method": "importance sampling, 200 draws of Q(z|x)"}
    # The grid reaches past the prior's mass and past every image's code, which a poor encoder may send far out.
    half_width = max(6.0, np.abs(session.run(graph.mean, {graph.images: images})).max() + 1)
    mean = log_likelihood_by_quadrature(session, graph, images, half_width).mean()
    coarser = log_likelihood_by_quadrature(session, graph, images, half_width, points=81).mean()
    return {
        "test_log_likelihood_nats": mean,
        "log_likelihood_method": "quadrature over a grid of 121 x 121 codes",
        "log_likelihood_grid_error_nats": abs(mean - coarser),  # an upper bound: that of a wider spacing
    }


def draw_figures(session: tf.Session, graph: VAE, run: Run, epochs: int, test: mnist.Dataset) -> None:
    """Slide 26's results.png, manifold.png for codes of two dimensions, and reconstructions.png."""
    from lecture10_vae.utils import plotting  # here, since matplotlib takes half a second to load

    rows = []
    for epoch in sorted({0, 1, round(epochs / 3), round(2 * epochs / 3), epochs}):  # of 15 epochs, the slide's rows
        run.restore(session, epoch)
        codes, samples = session.run([graph.mean, graph.samples], {graph.images: test.images})
        rows.append((f"Epoch {epoch}", codes, samples))
    plotting.save(plotting.results(rows, test.labels), run.figures_dir / "results.png")

    ten_of_each = np.concatenate([np.flatnonzero(test.labels == digit)[:4] for digit in range(10)])
    images = test.images[ten_of_each]
    decoded = session.run(tf.sigmoid(graph.logit), {graph.images: images})
    plotting.save(plotting.reconstructions(images, decoded), run.figures_dir / "reconstructions.png")
    if codes.shape[1] == 2:
        quantiles = ndtri((np.arange(20) + 0.5) / 20)  # equal shares of the prior in each dimension
        plane = np.stack(np.meshgrid(quantiles, quantiles[::-1]), axis=-1).reshape(-1, 2)
        decoded = session.run(tf.sigmoid(graph.logit), {graph.code: plane})
        plotting.save(plotting.manifold(decoded, quantiles), run.figures_dir / "manifold.png")
    plotting.write_projector(run.logdir / "test", codes, test.pixels, test.labels)


def main(
    epochs: int = 15,
    batch_size: int = 100,
    code_size: int = 2,
    hidden_size: int = 100,
    learning_rate: float = 1e-3,
    seed: int = 0,
    logdir: Path = Path("runs/vae"),
    data_dir: Path = mnist.DATA_DIR,
    fresh: bool = False,
) -> dict:
    """Trains the VAE of slides 22-26 on MNIST; goes on where an earlier run in the folder stopped.

    Args:
        epochs: passes over the 60,000 training images.
        batch_size: images in a mini-batch.
        code_size: dimensions of the code z.
        hidden_size: units in the hidden layer, of the encoder and of the decoder.
        learning_rate: of Adam.
        seed: of the initial weights, the order of the images and the noise.
        logdir: the run's folder, for checkpoints, curves, pictures and figures.
        data_dir: the folder with MNIST's four files.
        fresh: begin anew, replacing the run in the folder.

    Returns:
        What results.json says.
    """
    config = {"batch_size": batch_size, "code_size": code_size, "hidden_size": hidden_size}
    config |= {"learning_rate": learning_rate, "seed": seed}
    command_line.check_numbers(epochs=epochs, **config)
    config["pixels"] = "grey"
    train, test = mnist.load("train", data_dir), mnist.load("test", data_dir)
    with tf.Graph().as_default(), tf.Session() as session, Run("vae", logdir, config, fresh) as run:
        print(f"The VAE of slides 22-26 on {len(train.pixels):,} grey MNIST digits; test set, nats per image:")
        graph = build_graph(code_size, hidden_size, batch_size, learning_rate, seed)
        for epoch in run.epochs(session, epochs, len(train.pixels)):
            if epoch > 0:  # epoch 0 is the untrained model
                for pixels, _ in run.progress(mnist.batches(train, batch_size, [seed, epoch], BATCHES_PER_RUN)):
                    session.run(graph.optimize_batches, {graph.pixels: pixels})
            run.write("train", epoch, *evaluate(session, graph, train.pixels[:10_000]))
            run.write("test", epoch, *evaluate(session, graph, test.pixels))
            run.save(session, epoch)

        bound, _ = evaluate(session, graph, test.pixels)
        likelihood = report_log_likelihood(session, graph, test.images)
        print("ln P(x) {test_log_likelihood_nats:.2f}, by {log_likelihood_method}".format(**likelihood))
        draw_figures(session, graph, run, epochs, test)
        results = {f"test_{name}_nats": value for name, value in bound.items()} | likelihood
        return run.finish(**results)


if __name__ == "__main__":
    command_line.run(main)
