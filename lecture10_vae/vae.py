"""Slides 9-10 and 22-26: the variational auto-encoder (VAE), on MNIST.

A decoder P(x|z) makes an image of a code z, an encoder Q(z|x) infers the code of an image, and both learn together by
gradient ascent on the lower bound of slide 6, in nats per image:

    ln P(x) >= E_Q[ln P(x|z)] - KL[Q(z|x) || P(z)]        elbo = reconstruction - kl

    .venv/bin/python lecture10_vae/vae.py

The bound on the 10,000 test images, with grey pixels, starts near -544 and reaches -157.5 after 15 epochs (seed 0), and
ln P(x), which for grey pixels is not a log likelihood, -154.2: half a minute on two cores. Over seeds 0 to 4 the bound
is -158.2, with a stddev of 0.9. Pictures, numbers and TensorBoard's curves are in runs/vae.
"""

from pathlib import Path
from types import SimpleNamespace

from lecture10_vae.each_batch import each_batch
from lecture10_vae.pictures import vae as pictures
from lecture10_vae.studies import codes, evidence
from lecture10_vae.tf1 import tf, tfd
from lecture10_vae.utils import command_line, mnist
from lecture10_vae.utils.pixels import assert_pixels
from lecture10_vae.utils.run import Run, restore

import numpy as np


def make_prior(code_size=2):
    """P(z) = N(0, I): batch shape [], event shape [code_size]. Slide 24."""
    mean, stddev = tf.zeros([code_size]), tf.ones([code_size])
    return tfd.MultivariateNormalDiag(mean, stddev)


def make_encoder(images, code_size=2, hidden_size=100):
    """Q(z|x) for images [N, 28, 28]: batch shape [N], event shape [code_size]. Slide 24."""
    images = tf.layers.flatten(images)
    hidden = tf.layers.dense(images, hidden_size, tf.nn.relu, name="hidden")
    mean = tf.layers.dense(hidden, code_size, name="mean")
    stddev = tf.layers.dense(hidden, code_size, tf.nn.softplus, name="stddev")
    return tfd.MultivariateNormalDiag(mean, stddev + 1e-6)  # softplus alone can reach 0, and the KL infinity


def make_decoder(code, data_shape=(28, 28), hidden_size=100):
    """P(x|z) for codes [N, code_size]: batch shape [N], event shape data_shape. Slide 25."""
    hidden = tf.layers.dense(code, hidden_size, tf.nn.relu, name="hidden")
    logit = tf.layers.dense(hidden, np.prod(data_shape), name="logit")
    logit = tf.reshape(logit, [-1, *data_shape])
    return tfd.Independent(tfd.Bernoulli(logits=logit), len(data_shape))  # logits= says what the slide's position means


def build_graph(code_size=2, hidden_size=100, learning_rate=1e-3, seed=0) -> SimpleNamespace:
    """Slides 22-23, as a static graph. Returns everything below by its name."""
    tf.set_random_seed(seed)
    # Templates: both calls of the decoder share one set of weights (on the slide the second has its own, untrained)
    encoder = tf.make_template("encoder", make_encoder, code_size=code_size, hidden_size=hidden_size)
    decoder = tf.make_template("decoder", make_decoder, hidden_size=hidden_size)

    images = tf.placeholder(tf.float32, [None, 28, 28], "images")  # grey, in [0, 1]
    with tf.name_scope("prior"):
        prior = make_prior(code_size)
    posterior = encoder(images)
    with tf.name_scope("code"):
        code = posterior.sample()  # [N, code_size], new ones in each session.run
        mean, stddev = posterior.mean(), posterior.stddev()  # [N, code_size]
    dist = decoder(code)

    with tf.name_scope("reconstruction"), tf.control_dependencies([assert_pixels(images)]):
        reconstruction = dist.log_prob(images)  # [N], nats
    with tf.name_scope("kl"):
        kl = tfd.kl_divergence(posterior, prior)  # [N], nats
    elbo = tf.subtract(reconstruction, kl, "elbo")  # [N], nats
    with tf.name_scope("optimize"):  # the mean over images, as the bound is said by image
        optimize = tf.train.AdamOptimizer(learning_rate).minimize(-tf.reduce_mean(elbo))
    with tf.name_scope("samples"):
        samples = decoder(prior.sample(10)).mean()  # [10, 28, 28], for visualization
    return SimpleNamespace(**locals())


def evaluate(session: tf.Session, model: SimpleNamespace, images: np.ndarray) -> dict[str, float]:
    """The bound and its two parts, in nats: means over images [N, 28, 28], with one sample of the code for each."""
    parts = {"elbo": model.elbo, "reconstruction": model.reconstruction, "kl": model.kl}
    return {name: values.mean() for name, values in session.run(parts, {model.images: images}).items()}


def main(
    epochs: int = 15,
    batch_size: int = 100,
    code_size: int = 2,
    hidden_size: int = 100,
    learning_rate: float = 1e-3,
    seed: int = 0,
    plain: bool = False,
    quick: bool = False,
    start_from: Path | None = None,
    logdir: Path = Path("runs/vae"),
    data_dir: Path = mnist.DATA_DIR,
) -> dict:
    """Trains the VAE of slides 22-26 on MNIST.

    Args:
        epochs: passes over the 60,000 training images.
        batch_size: images in a mini-batch.
        code_size: dimensions of the code z.
        hidden_size: units in the hidden layer, of the encoder and of the decoder.
        learning_rate: of Adam.
        seed: of the initial weights, the order of the images and the noise.
        plain: train without XLA, TensorFlow's compiler: slower, but tf.print and all other operations work.
        quick: leave out ln P(x), which takes longer than an epoch.
        start_from: the folder of an earlier run, whose weights, and Adam's memory, training starts from.
        logdir: the run's folder; where it exists, a number is added.
        data_dir: the folder with MNIST's four files.
    """
    flags = dict(locals())  # the arguments, which are recorded with the run
    train, test = mnist.load("train", data_dir), mnist.load("test", data_dir)
    seen = train.first(10_000)  # as many as there are test images
    print(f"The VAE of slides 22-26 on {train.describe()}, with grey pixels. Test images, in nats:")
    with tf.Graph().as_default(), tf.Session() as session:
        model = build_graph(code_size, hidden_size, learning_rate, seed)
        summary = pictures.summarize(model)  # for TensorBoard: the codes, samples and reconstructions
        run = Run(__file__, logdir, flags)  # its folder, with FileWriters and a Saver
        # One session.run of `optimize` does the slide's step for each batch_size of the images that are fed
        optimize = each_batch(model.optimize, batch_size, [model.images], plain)
        session.run(tf.global_variables_initializer())
        if start_from:
            restore(session, start_from)
        snapshots = {}  # codes and samples, by epoch
        for epoch in run.epochs(session, epochs):  # 0 to epochs, with a progress bar
            if epoch > 0:  # 0 is before training
                for batch in mnist.batches(train, batch_size, [seed, epoch], together=100):  # a hundred at once
                    session.run(optimize, {model.images: batch.images})
            bounds = {"train": evaluate(session, model, seen.images), "test": evaluate(session, model, test.images)}
            run.log(session, epoch, **bounds)  # in the terminal and TensorBoard; saves the weights
            run.writers["test"].add_summary(session.run(summary, {model.images: test.images[:2_500]}), epoch)
            if epoch in pictures.epochs_of_slide_26(epochs):  # 0, 1, 5, 10, 15
                snapshots[epoch] = session.run([model.mean, model.samples], {model.images: test.images})

        numbers = codes.measure(session, model, test.images)  # how many dimensions of the code are in use
        print(codes.describe(numbers, code_size))
        if not quick:
            numbers |= evidence.measure(session, model, test.images)  # ln P(x)
            print(evidence.describe(numbers), "(grey pixels: not a log likelihood)")
        pictures.draw(session, model, snapshots, test, run.folder)
        return run.finish(data=train.describe(), **bounds["test"], **numbers)  # to results.json


if __name__ == "__main__":
    command_line.run(main)
