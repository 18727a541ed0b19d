"""Slide 7: variational inference with a Q(z) for each image, on MNIST.

A mean and stddev for each of 10,000 training images, as variables, are trained together with the decoder, by gradient
ascent on the lower bound of slide 6. The next script, amortized_inference.py, tells what that costs and what learns it.

    .venv/bin/python lecture10_vae/variational_inference.py

The bound on the 10,000 training images, with grey pixels, comes to -168.5 after 50 epochs (seed 0), a quarter of a
minute on two cores. Test images have no Q(z); ln P(x) of the decoder, not a log likelihood as the pixels are grey, is
-160.4 on the first 2,000 of them, and -161.5 on as many training images.
"""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

from lecture10_vae import vae
from lecture10_vae.each_batch import each_batch
from lecture10_vae.studies import evidence
from lecture10_vae.tf1 import tf, tfd
from lecture10_vae.utils import command_line, mnist
from lecture10_vae.utils.pixels import assert_pixels
from lecture10_vae.utils.run import Run, restore

import numpy as np


def make_posterior(index, num_images, code_size=2):
    """Q(z) for the images of an index [N], out of variables for all of them: batch shape [N]. Slide 7."""
    shape = [num_images, code_size]
    mean = tf.get_variable("mean", shape, initializer=tf.zeros_initializer())
    one = tf.constant_initializer(np.log(np.expm1(1.0)))  # what softplus sends to 1, the prior's stddev
    stddev = tf.get_variable("stddev", shape, initializer=one)
    mean, stddev = tf.gather(mean, index), tf.nn.softplus(tf.gather(stddev, index))
    return tfd.MultivariateNormalDiag(mean, stddev + 1e-6)


def build_graph(num_images, hidden_size=100, learning_rate=1e-3, seed=0, decoder=None) -> SimpleNamespace:
    """Slide 7, as a static graph. Returns everything below by its name.

    Slide 8 gives the decoder of a trained model in the same graph; its posteriors then are `infer`red, and it stays.
    """
    tf.set_random_seed(seed)
    every_posterior = tf.make_template("posterior", make_posterior, num_images=num_images)
    decoder = decoder or tf.make_template("decoder", vae.make_decoder, hidden_size=hidden_size)

    images = tf.placeholder(tf.float32, [None, 28, 28], "images")  # grey, in [0, 1]
    index = tf.placeholder(tf.int32, [None], "index")  # which of all images these are
    with tf.name_scope("prior"):
        prior = vae.make_prior()
    posterior = every_posterior(index)
    with tf.name_scope("code"):
        code = posterior.sample()  # [N, 2]: z = sigma eps + mu
        mean, stddev = posterior.mean(), posterior.stddev()  # [N, 2]
    dist = decoder(code)

    with tf.name_scope("reconstruction"), tf.control_dependencies([assert_pixels(images)]):
        reconstruction = dist.log_prob(images)  # [N], nats
    with tf.name_scope("kl"):
        kl = tfd.kl_divergence(posterior, prior)  # [N], nats
    elbo = tf.subtract(reconstruction, kl, "elbo")  # [N], nats
    with tf.name_scope("loss"):
        loss = -tf.reduce_mean(elbo)
    inference_rate = tf.placeholder_with_default(0.03, [], "inference_rate")  # high, as an image comes once an epoch
    inference, learning = tf.train.AdamOptimizer(inference_rate), tf.train.AdamOptimizer(learning_rate)
    with tf.name_scope("infer"):  # a gradient step on mu and sigma; Adam's momentum moves those of other images on, too
        infer = inference.minimize(loss, var_list=every_posterior.trainable_variables)
    with tf.name_scope("optimize"):  # and one on theta
        optimize = tf.group(infer, learning.minimize(loss, var_list=decoder.trainable_variables))
    begin = tf.variables_initializer([*every_posterior.trainable_variables, *inference.variables()], "begin")
    return SimpleNamespace(**locals())


def evaluate(session: tf.Session, model: SimpleNamespace, images: np.ndarray, index: np.ndarray) -> dict[str, float]:
    """The bound and its parts, in nats: means over images [N, 28, 28] of an index [N], with one sample of each code."""
    parts = {"elbo": model.elbo, "reconstruction": model.reconstruction, "kl": model.kl}
    values = session.run(parts, {model.images: images, model.index: index})
    return {name: of_each.mean() for name, of_each in values.items()}


def main(
    epochs: int = 50,
    train_images: int = 10_000,
    batch_size: int = 100,
    hidden_size: int = 100,
    learning_rate: float = 1e-3,
    seed: int = 0,
    plain: bool = False,
    start_from: Path | None = None,
    logdir: Path = Path("runs/variational_inference"),
    data_dir: Path = mnist.DATA_DIR,
) -> dict:
    """Trains slide 7's model, a Q(z) for each image, on some of MNIST's training images.

    Args:
        epochs: passes over the images.
        train_images: how many of MNIST's training images get a Q(z).
        batch_size: images in a mini-batch.
        hidden_size: units in the decoder's hidden layer.
        learning_rate: of Adam, for the decoder.
        seed: of the initial weights, the order of the images and the noise.
        plain: train without XLA, TensorFlow's compiler: slower, but tf.print and all other operations work.
        start_from: the folder of an earlier run, whose weights, and Adam's memory, training starts from.
        logdir: the run's folder; where it exists, a number is added.
        data_dir: the folder with MNIST's four files.
    """
    flags = dict(locals())  # the arguments, which are recorded with the run
    train, test = mnist.load("train", data_dir).first(train_images), mnist.load("test", data_dir)
    train = replace(train, labels=np.arange(len(train), dtype=np.int32))  # an image's number in its label's place
    print(f"Slide 7 on {train.describe()}, with grey pixels, each with a Q(z). In nats:")
    with tf.Graph().as_default(), tf.Session() as session:
        model = build_graph(len(train), hidden_size, learning_rate, seed)
        run = Run(__file__, logdir, flags, parts=["train"])  # its folder, with FileWriters and a Saver
        # One session.run of `optimize` does the slide's step for each batch_size of the images that are fed
        optimize = each_batch(model.optimize, batch_size, [model.images, model.index], plain)
        session.run(tf.global_variables_initializer())
        if start_from:
            restore(session, start_from)
        for epoch in run.epochs(session, epochs):  # 0 to epochs, with a progress bar
            if epoch > 0:  # 0 is before training
                for batch in mnist.batches(train, batch_size, [seed, epoch], together=100):  # a hundred at once
                    session.run(optimize, {model.images: batch.images, model.index: batch.labels})
            bounds = evaluate(session, model, train.images, train.labels)
            run.log(session, epoch, train=bounds)  # in the terminal and TensorBoard; saves the weights

        numbers = {}
        half_width = evidence.reach(session.run(model.mean, {model.index: train.labels}))
        for part, images in (("train", train.images[:2_000]), ("test", test.images[:2_000])):
            log_likelihood = evidence.by_quadrature(session, model, images, half_width).log_likelihood.mean()
            print(
                f"ln P(x) (not a log likelihood) of its decoder on {len(images):,} {part} images {log_likelihood:.2f}"
            )
            numbers[f"{part}_log_likelihood_nats"] = log_likelihood
        return run.finish(data=train.describe(), **bounds, **numbers)


if __name__ == "__main__":
    command_line.run(main)
