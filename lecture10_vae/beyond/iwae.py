"""Burda, Grosse, Salakhutdinov 2016: the importance weighted auto-encoder (IWAE), table 1, with one stochastic layer.

The bound of slide 6 by one code z is loose where Q(z|x) is unlike P(z|x). Averaging the weights of k codes, inside of
the logarithm, makes it tighter; it tends to ln P(x) as k grows without end (equation 8 there):

    ln P(x) >= E[ln 1/k sum_i w_i] >= E[ln w],    w_i = P(x|z_i) P(z_i) / Q(z_i|x),    z_i from Q(z|x)

    .venv/bin/python lecture10_vae/beyond/iwae.py                                         # k = 1: the slide's bound
    .venv/bin/python lecture10_vae/beyond/iwae.py --samples 5 --logdir runs/iwae_5        # k = 5

With k = 1 ln P(x) comes to -86.6 nats (seed 0; the paper: -86.76), in 40 minutes on two cores. Rerun the command to
resume. cluster.py trains the same model by several processes.

Not through tf.train.MonitoredTrainingSession: it saves after so many steps or seconds, and once more as it closes, so
that a resumed run's curves would have epochs twice. Run saves when a whole epoch's numbers are written.
"""

from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Literal

from lecture10_vae.beyond import importance, models, pictures
from lecture10_vae.each_batch import each_batch
from lecture10_vae.tf1 import tf, tfd
from lecture10_vae.utils import command_line, mnist
from lecture10_vae.utils.command_line import UserError
from lecture10_vae.utils.run import Run, restore
from lecture10_vae.vae import make_prior

import numpy as np

BINARIZATION = 0  # the seed by which the images of every measurement become black or white
TOGETHER = 20  # mini-batches in a session.run: with k = 50, 20 MB of noise


def make_encoder(images, code_size=50, hidden_size=200):
    """Q(z|x) for images [N, 28, 28]: batch shape [N], event shape [code_size]."""
    hidden = tf.layers.flatten(images)
    hidden = tf.layers.dense(hidden, hidden_size, tf.nn.tanh, name="hidden_1")
    hidden = tf.layers.dense(hidden, hidden_size, tf.nn.tanh, name="hidden_2")
    mean = tf.layers.dense(hidden, code_size, name="mean")
    stddev = tf.layers.dense(hidden, code_size, tf.nn.softplus, name="stddev")
    return tfd.MultivariateNormalDiag(mean, stddev + 1e-6)


def make_decoder(code, pixel_means=0.5, data_shape=(28, 28), hidden_size=200):
    """P(x|z) for codes [k, N, code_size]: batch shape [k, N], event shape data_shape; at first the pixels' means."""
    hidden = tf.layers.dense(code, hidden_size, tf.nn.tanh, name="hidden_1")
    hidden = tf.layers.dense(hidden, hidden_size, tf.nn.tanh, name="hidden_2")
    bias = tf.constant_initializer(np.log(pixel_means) - np.log1p(-pixel_means))
    logit = tf.layers.dense(hidden, np.prod(data_shape), bias_initializer=bias, name="logit")
    logit = tf.reshape(logit, tf.concat([tf.shape(code)[:-1], data_shape], axis=0))
    return tfd.Independent(tfd.Bernoulli(logits=logit), len(data_shape))


def weigh(images, prior, posterior, decoder, code):
    """ln w of codes [samples, N, code_size] for images [N, 28, 28], in nats: [samples, N]."""
    return decoder(code).log_prob(images) + prior.log_prob(code) - posterior.log_prob(code)


def doubly_reparameterize(model: SimpleNamespace) -> list[tuple[tf.Tensor, tf.Variable]]:
    """Gradients of the negative bound of k codes, with the variables: the encoder's as Tucker et al. 2018, equation 8.

    The encoder's come through the codes alone, each by its normalized weight squared: in the mean the same gradient,
    but its noise does not outgrow it as k rises.
    """
    means, stddevs = tf.stop_gradient(model.mean), tf.stop_gradient(model.stddev)
    still = tfd.MultivariateNormalDiag(means, stddevs)
    log_weight = weigh(model.images, model.prior, still, model.decoder, model.code)  # [k, N]
    weight = tf.stop_gradient(tf.nn.softmax(log_weight, axis=0))
    loss = -tf.reduce_mean(tf.reduce_sum(weight * log_weight, axis=0))
    (slope,) = tf.gradients(loss, [model.code])  # has the weight once
    of_encoder, of_decoder = (list(part.trainable_variables) for part in (model.encoder, model.decoder))
    gradients = tf.gradients(model.code, of_encoder, weight[..., tf.newaxis] * slope) + tf.gradients(loss, of_decoder)
    return list(zip(gradients, of_encoder + of_decoder, strict=True))


def build_graph(samples=1, objective="iwae", code_size=50, hidden_size=200, pixel_means=0.5, seed=0) -> SimpleNamespace:
    """The bounds of one and of `samples` codes, as a static graph. Returns everything below by its name."""
    tf.set_random_seed(seed)
    encoder = tf.make_template("encoder", make_encoder, code_size=code_size, hidden_size=hidden_size)
    decoder = tf.make_template("decoder", make_decoder, pixel_means=pixel_means, hidden_size=hidden_size)

    images = tf.placeholder(tf.float32, [None, 28, 28], "images")  # black or white: 0 or 1
    learning_rate = tf.placeholder_with_default(1e-3, [], "learning_rate")
    with tf.name_scope("prior"):
        prior = make_prior(code_size)
    posterior = encoder(images)
    mean, stddev = posterior.mean(), posterior.stddev()  # [N, code_size]
    log_weights = partial(weigh, images, prior, posterior, decoder)

    with tf.name_scope("code"):
        code = posterior.sample(samples)  # [samples, N, code_size], new ones in each session.run
    log_weight = log_weights(code)  # [samples, N], nats
    with tf.name_scope("elbo"):
        elbo = tf.reduce_mean(log_weight, axis=0)  # [N], nats: slide 22, with an average of samples
    with tf.name_scope("bound"):
        bound = tf.reduce_logsumexp(log_weight, axis=0) - np.log(samples)  # [N], nats: equation 8
    with tf.name_scope("optimize"):
        optimizer = tf.train.AdamOptimizer(learning_rate, epsilon=1e-4)
        if objective == "dreg":
            optimize = optimizer.apply_gradients(doubly_reparameterize(SimpleNamespace(**locals())))
        else:
            optimize = optimizer.minimize(-tf.reduce_mean({"iwae": bound, "vae": elbo}[objective]))
    with tf.name_scope("from_prior"):
        from_prior = decoder(prior.sample([1, 40])).mean()[0]  # [40, 28, 28], for visualization
    return SimpleNamespace(**locals())


def average_pixels(train: mnist.Dataset) -> np.ndarray:
    """The mean of each pixel over the training images, [784], kept off 0 and 1."""
    return np.clip(train.pixels.mean(axis=0).ravel() / 255, 1e-3, 1 - 1e-3)


def rate(schedule: str, highest: float, epoch: float, epochs: int) -> float:
    """Adam's learning rate: a "cosine" falls from the highest to 0; the "paper" has eight steps in 3,280 epochs."""
    if schedule == "cosine":
        return highest * (1 + np.cos(np.pi * epoch / epochs)) / 2
    steps = np.searchsorted(np.cumsum(3 ** np.arange(8)), epoch, side="right")  # after 1, 4, 13, 40, ... epochs
    return highest * 10 ** (-min(steps, 7) / 7)


def evaluate(session: tf.Session, model: SimpleNamespace, images: np.ndarray) -> dict[str, float]:
    """Both bounds in nats, means over images [N, 28, 28], with as many codes as in training."""
    parts = np.array_split(images, -(-len(images) // 100))  # with k = 50 a hundred take 16 MB a tensor
    bounds = [session.run([model.bound, model.elbo], {model.images: some}) for some in parts]
    bound, elbo = np.concatenate(bounds, axis=1)
    return {"bound": bound.mean(), "elbo": elbo.mean()}


def main(
    samples: int = 1,
    objective: Literal["iwae", "vae", "dreg"] = "iwae",
    epochs: int = 1_000,
    batch_size: int = 100,
    learning_rate: float = 1e-3,
    schedule: Literal["cosine", "paper"] = "cosine",
    test_images: int = 10_000,
    importance_samples: int = 5_000,
    seed: int = 0,
    plain: bool = False,
    start_from: Path | None = None,
    logdir: Path = Path("runs/iwae"),
    data_dir: Path = mnist.DATA_DIR,
) -> dict:
    """Trains the model of Burda et al. 2016, table 1; rerun the command to resume.

    Args:
        samples: codes for each image, k.
        objective: what is trained, "iwae" for the bound of k codes together, "dreg" for the same by the gradient of
            Tucker et al. 2018, or "vae" for the mean over k codes.
        epochs: passes over the 60,000 training images, binarized anew in each.
        batch_size: images in a mini-batch.
        learning_rate: of Adam, the highest.
        schedule: how it falls, "cosine", or "paper" for the paper's eight steps.
        test_images: how many ln P(x) is measured on, or all if there are fewer.
        importance_samples: codes of each image for ln P(x).
        seed: of the initial weights, the order of the images, their binarization and the noise.
        plain: train without XLA, TensorFlow's compiler: slower, but tf.print and all other operations work.
        start_from: the folder of an earlier run, whose weights, and Adam's memory, training starts from.
        logdir: the run's folder.
        data_dir: the folder with MNIST's four files.
    """
    flags = dict(locals())  # the arguments, which are recorded with the run
    if importance_samples < samples:
        raise UserError(f"--importance-samples {importance_samples}: give at least the {samples} of a bound.")
    train, test = mnist.load("train", data_dir), mnist.load("test", data_dir)
    test_binary = mnist.binarize(test.pixels, BINARIZATION)
    shown = {"train": mnist.binarize(train.first(1_000).pixels, BINARIZATION), "test": test_binary[:1_000]}
    with tf.Graph().as_default(), tf.Session() as session:
        model = build_graph(samples, objective, pixel_means=average_pixels(train), seed=seed)
        weigh_batches = importance.build_graph(model, [model.images])
        run = Run(__file__, logdir, flags, resume=True)
        # One session.run of `optimize` does the slide's step for each batch_size of the images that are fed
        optimize = each_batch(model.optimize, batch_size, [model.images], plain)
        session.run(tf.global_variables_initializer())
        if start_from:
            restore(session, start_from)
        for epoch in run.epochs(session, epochs):  # 0 to epochs, with a progress bar
            if epoch > 0:  # 0 is before training
                for i, batch in enumerate(mnist.batches(train, batch_size, [seed, epoch], TOGETHER)):
                    done = epoch - 1 + i * TOGETHER * batch_size / len(train)
                    now = rate(schedule, learning_rate, done, epochs)
                    binary = mnist.binarize(batch.pixels, [seed, epoch, i])
                    session.run(optimize, {model.images: binary, model.learning_rate: now})
            parts = shown if epoch in models.evaluated_epochs(epochs) else {}
            run.log(session, epoch, **{part: evaluate(session, model, parts[part]) for part in parts})

        given = test_binary[:test_images], importance_samples, samples
        numbers = importance.measure(session, model, weigh_batches, *given)
        columns = ["test_log_likelihood_nats", "test_bound_nats", "test_elbo_nats", "active_units"]
        models.print_table({"": numbers}, columns)
        pictures.draw_iwae(session.run(model.from_prior), "elbo" if objective == "vae" else "bound", run.folder)
        return run.finish(data=train.describe(), **numbers)


if __name__ == "__main__":
    command_line.run(main)
