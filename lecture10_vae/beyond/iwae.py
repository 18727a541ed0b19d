"""Burda, Grosse, Salakhutdinov 2016: the importance weighted auto-encoder (IWAE), table 1, with one stochastic layer.

The bound of slide 6 by one code z is loose where Q(z|x) is unlike P(z|x). Averaging the weights of k codes, inside of
the logarithm, makes it tighter, until it reaches ln P(x) (equation 8 there):

    ln P(x) >= E[ln 1/k sum_i w_i] >= E[ln w],    w_i = P(x|z_i) P(z_i) / Q(z_i|x),    z_i from Q(z|x)

    python lecture10_vae/beyond/iwae.py                                         # k = 1: the slide's bound
    python lecture10_vae/beyond/iwae.py --samples 5 --logdir runs/iwae_5        # k = 5

With k = 1 ln P(x) comes to -86.6 nats (seed 0; the paper: -86.76), in 40 minutes on two cores.

With the environment variable TF_CONFIG it is one of several processes that train one model: see cluster.py.
"""

import os
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from lecture10_vae.pictures import beyond_iwae as pictures
from lecture10_vae.studies import importance
from lecture10_vae.tf1 import BATCHES_PER_RUN, each_batch, set_random_seed, tf, tfd
from lecture10_vae.utils import checkpoints, command_line, mnist
from lecture10_vae.utils.command_line import UserError
from lecture10_vae.utils.run import Run
from lecture10_vae.vae import make_prior

BINARIZATION = 0  # the seed by which the images of every measurement become black or white


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


def build_graph(samples=1, objective="iwae", code_size=50, hidden_size=200, pixel_means=0.5, seed=0) -> SimpleNamespace:
    """The bounds of one and of `samples` codes, as a static graph. Returns everything below by its name."""
    set_random_seed(seed)
    step = tf.train.get_or_create_global_step()
    encoder = tf.make_template("encoder", make_encoder, code_size=code_size, hidden_size=hidden_size)
    decoder = tf.make_template("decoder", make_decoder, pixel_means=pixel_means, hidden_size=hidden_size)

    images = tf.placeholder(tf.float32, [None, 28, 28], "images")  # black or white: 0 or 1
    learning_rate = tf.placeholder_with_default(1e-3, [], "learning_rate")
    with tf.name_scope("prior"):
        prior = make_prior(code_size)
    posterior = encoder(images)
    mean = posterior.mean()  # [N, code_size]
    log_weights = partial(weigh, images, prior, posterior, decoder)

    with tf.name_scope("code"):
        noise_seed = tf.stack([seed, tf.cast(step, tf.int32)])
        code = posterior.sample(samples, seed=noise_seed)  # [samples, N, code_size]
    log_weight = log_weights(code)  # [samples, N], nats
    with tf.name_scope("elbo"):
        elbo = tf.reduce_mean(log_weight, axis=0)  # [N], nats: slide 22, with an average of samples
    with tf.name_scope("bound"):
        bound = tf.reduce_logsumexp(log_weight, axis=0) - np.log(samples)  # [N], nats: equation 8
    with tf.name_scope("optimize"):
        optimizer = tf.train.AdamOptimizer(learning_rate, epsilon=1e-4)
        optimize = optimizer.minimize(-tf.reduce_mean({"iwae": bound, "vae": elbo}[objective]), step)
    return SimpleNamespace(**locals())


def rate(schedule: str, highest: float, epoch: float, epochs: int) -> float:
    """Adam's learning rate: a "cosine" falls from the highest to 0; the "paper" has eight steps in 3,280 epochs."""
    if schedule == "cosine":
        return highest * (1 + np.cos(np.pi * epoch / epochs)) / 2
    steps = np.searchsorted(np.cumsum(3 ** np.arange(8)), epoch, side="right")  # after 1, 4, 13, 40, ... epochs
    return highest * 10 ** (-min(steps, 7) / 7)


def evaluated_epochs(epochs: int) -> set[int]:
    """About forty, closer together at the beginning, where the bound changes fast."""
    return {0, epochs, *np.geomspace(1, epochs, min(40, epochs)).round().astype(int).tolist()}


def evaluate(session: tf.Session, model: SimpleNamespace, pixels: np.ndarray) -> dict[str, float]:
    """Both bounds in nats, means over images [N, 28, 28] of bytes, with as many codes as in training."""
    parts = {"bound": model.bound, "elbo": model.elbo}
    values = [session.run(parts, {model.images: some / 255}) for some in np.array_split(pixels, -(-len(pixels) // 100))]
    return {name: np.concatenate([value[name] for value in values]).mean() for name in parts}


def read_run(logdir: Path) -> checkpoints.Epoch | None:
    """The newest epoch of a run of this script in a folder; None if there is none."""
    saved = checkpoints.read_newest(logdir)
    return saved if saved and saved.config["script"] == Path(__file__).stem else None


def read_start(start_from: Path, logdir: Path) -> checkpoints.Epoch:
    """The newest epoch of another run of this script. Raises UserError if there is none, or if it is the run itself."""
    saved = read_run(start_from)
    if saved is None:
        raise UserError(f"--start-from {start_from} holds no run of this model: train one there first.")
    if start_from.resolve() == logdir.resolve():
        raise UserError(f"--start-from {start_from} is the --logdir, too: choose another one for the new run.")
    return saved


def describe_start(saved: checkpoints.Epoch) -> dict:
    """Which weights they are: the other run's configuration, but for its source, and the epoch."""
    return {name: value for name, value in saved.config.items() if name != "source"} | {"epoch": saved.number}


def load_weights(session: tf.Session, saved: checkpoints.Epoch) -> None:
    """Gives the session's model the weights of another run, but none of Adam's memory."""
    names = [variable.op.name for variable in tf.trainable_variables()]
    checkpoints.load(session, saved._replace(weights={name: saved.weights[name] for name in names}))


def join_cluster():
    """This process's cluster.Task where the environment has a TF_CONFIG, as every launcher of clusters sets it."""
    if not os.environ.get("TF_CONFIG"):
        return None
    from lecture10_vae.beyond import cluster  # which one machine has no need of

    return cluster.join()


def main(
    samples: int = 1,
    objective: str = "iwae",
    epochs: int = 1_000,
    batch_size: int = 100,
    learning_rate: float = 1e-3,
    schedule: str = "cosine",
    start_from: Path | None = None,
    test_images: int = 10_000,
    importance_samples: int = 5_000,
    seed: int = 0,
    logdir: Path = Path("runs/iwae"),
    data_dir: Path = mnist.DATA_DIR,
    fresh: bool = False,
) -> dict | None:
    """Trains the model of Burda et al. 2016, table 1; goes on where an earlier run in the folder stopped.

    Args:
        samples: codes for each image, k.
        objective: what is trained, "iwae" for the bound of k codes together, or "vae" for the mean over k codes.
        epochs: passes over the 60,000 training images, binarized anew in each.
        batch_size: images in a mini-batch.
        learning_rate: of Adam, the highest.
        schedule: how it falls, "cosine", or "paper" for the paper's eight steps.
        start_from: the folder of another run, from whose weights training starts.
        test_images: how many ln P(x) is measured on.
        importance_samples: codes of each image for ln P(x).
        seed: of the initial weights, the order of the images, their binarization and the noise.
        logdir: the run's folder, for checkpoints, curves, pictures and numbers.
        data_dir: the folder with MNIST's four files.
        fresh: begin anew, replacing the run in the folder.

    Returns:
        What results.json says; nothing from a cluster's parameter server or worker.
    """
    flags = {"samples": samples, "seed": seed}
    command_line.check_numbers(epochs=epochs, batch_size=batch_size, learning_rate=learning_rate, **flags)
    command_line.check_numbers(test_images=test_images, importance_samples=importance_samples)
    if importance_samples < samples:
        raise UserError(f"--importance-samples {importance_samples}: give at least the {samples} of a bound.")
    command_line.check_choice(("iwae", "vae"), objective=objective)
    command_line.check_choice(("cosine", "paper"), schedule=schedule)
    task = join_cluster()
    if task and task.is_parameter_server:
        return task.serve()
    train, test = mnist.load("train", data_dir), mnist.load("test", data_dir)
    command_line.check_at_most(len(test.pixels), test_images=test_images)
    test_pixels = mnist.binarize(test.pixels, BINARIZATION)
    shown = {"train": mnist.binarize(train.first(1_000).pixels, BINARIZATION), "test": test_pixels[:1_000]}
    start = read_start(start_from, logdir) if start_from else None
    config = flags | {
        "objective": objective,
        "batch_size": batch_size,
        "learning_rate": learning_rate,
        "schedule": f"{schedule}, {epochs} epochs",
        "start_from": start and describe_start(start),
        "pixels": "black or white, training images binarized anew in each epoch",
        "data": train.describe(),
    }
    means = np.clip(train.pixels.mean(axis=0).ravel() / 255, 1e-3, 1 - 1e-3)
    make_model = partial(build_graph, samples, objective, pixel_means=means)
    if task:
        config["cluster"] = "asynchronous"
        training = (make_model, train, batch_size, epochs, partial(rate, schedule, learning_rate, epochs=epochs), seed)
        if not task.is_chief:
            return task.train(*training)

    def keep(session, model, epoch):
        if epoch == 0 and start:
            load_weights(session, start)
        if epoch in evaluated_epochs(epochs):
            for part, images in shown.items():
                run.write(part, epoch, evaluate(session, model, images))
        run.save(session, epoch)

    with tf.Graph().as_default(), tf.Session() as session, Run(__file__, logdir, config, fresh) as run:
        print(f"k = {samples}, {objective}, on {len(train.pixels):,} images of {train.name}, black or white.")
        print("Nats per image, of the first 1,000 test images:")
        if task:
            task.train(*training, run, keep)
        model = make_model(seed=seed)
        pixels = tf.placeholder(tf.uint8, [None, 28, 28], "pixels")
        feeds = {model.images: pixels, model.learning_rate: model.learning_rate}
        optimize_batches = each_batch(model.optimize, batch_size, feeds)
        for epoch in run.epochs(session, epochs, len(train.pixels), slide=[model.bound]):
            if epoch > 0:  # epoch 0 is the untrained model
                for i, batch in enumerate(
                    run.progress(mnist.batches(train, batch_size, [seed, epoch], BATCHES_PER_RUN))
                ):
                    done = epoch - 1 + i * batch_size * BATCHES_PER_RUN / len(train.pixels)
                    binary = mnist.binarize(batch.pixels, [seed, epoch, i])
                    now = rate(schedule, learning_rate, done, epochs)
                    session.run(optimize_batches, {pixels: binary, model.learning_rate: now})
            keep(session, model, epoch)
        numbers = importance.measure(session, model, test_pixels[:test_images], importance_samples, samples)
        print(importance.describe(numbers))
        pictures.draw(session, model, run)
        return run.finish("results.png", test_images=test_images, **numbers)


if __name__ == "__main__":
    command_line.run(main)
