"""Slides 7-8: variational inference with a Q(z) for each image, and why an encoder should learn it instead.

First slide 7's algorithm on MNIST: a mean and stddev for each of 10,000 training images, as variables, trained together
with the decoder. Then slide 8, measured on test images with the lecture's trained VAE (vae.py): how many gradient steps
an image needs to come where the encoder is in one pass, and how far below ln P(x) the encoder's bound is. For a given
decoder this has two parts and no third:

    ln P(x) - best bound of a diagonal Gaussian for this image      the approximation gap
    that bound - the bound of the encoder's Q(z|x)                  the amortization gap    (Cremer, Li, Duvenaud 2018)

    python lecture10_vae/variational_inference.py

Half a minute on two cores. The images' mean bound needs between 50 and 100 steps to come where the encoder has it in
one pass. Of the 4.2 nats that this is below ln P(x), the amortization gap has at least 4.0 and the approximation gap at
most 0.14 (seed 0; the best Gaussian is the best that was found).
"""

from pathlib import Path
from types import SimpleNamespace

import numpy as np

from lecture10_vae import vae
from lecture10_vae.load_run import change_of_source, load_run
from lecture10_vae.pictures import variational_inference as pictures
from lecture10_vae.studies import evidence, gaps
from lecture10_vae.tf1 import BATCHES_PER_RUN, each_batch, run_in_parts, set_random_seed, tf, tfd
from lecture10_vae.utils import checkpoints, command_line, mnist
from lecture10_vae.utils.command_line import UserError
from lecture10_vae.utils.run import Run, read_config


def make_posterior(index, num_images, code_size=2):
    """Q(z) for the images of an index [N], out of variables for all of them: batch shape [N]. Slide 7."""
    shape = [num_images, code_size]
    mean = tf.get_variable("mean", shape, initializer=tf.zeros_initializer())
    stddev = tf.get_variable("stddev", shape, initializer=tf.constant_initializer(gaps.inverse_softplus(1.0)))
    mean, stddev = tf.gather(mean, index), tf.nn.softplus(tf.gather(stddev, index))
    return tfd.MultivariateNormalDiag(mean, stddev + 1e-6)


def build_graph(num_images, hidden_size=100, learning_rate=1e-3, seed=0, decoder=None) -> SimpleNamespace:
    """Slide 7, as a static graph. Returns everything below by its name.

    Slide 8 gives the decoder of a trained model in the same graph; its posteriors then are `infer`red, and it stays.
    """
    set_random_seed(seed)
    step = tf.train.get_or_create_global_step()
    every_posterior = tf.make_template("posterior", make_posterior, num_images=num_images)
    decoder = decoder or tf.make_template("decoder", vae.make_decoder, hidden_size=hidden_size)

    images = tf.placeholder(tf.float32, [None, 28, 28], "images")  # grey, in [0, 1]
    index = tf.placeholder(tf.int32, [None], "index")  # which of all images these are
    with tf.name_scope("prior"):
        prior = vae.make_prior()
    posterior = every_posterior(index)
    with tf.name_scope("code"):
        noise_seed = tf.stack([seed, tf.cast(step, tf.int32)])  # new at each step, the same in a run repeated
        code = posterior.sample(seed=noise_seed)  # [N, 2]: z = sigma eps + mu
        mean, stddev = posterior.mean(), posterior.stddev()  # [N, 2]
    dist = decoder(code)

    with tf.name_scope("elbo"):
        elbo = dist.log_prob(images) - tfd.kl_divergence(posterior, prior)  # [N], nats
        loss = -tf.reduce_mean(elbo)
    inference_rate = tf.placeholder_with_default(0.03, [], "inference_rate")  # high, as an image comes once an epoch
    inference, learning = tf.train.AdamOptimizer(inference_rate), tf.train.AdamOptimizer(learning_rate)
    with tf.name_scope("infer"):  # a gradient step on mu and sigma; Adam's momentum moves those of other images on, too
        infer = inference.minimize(loss, step, every_posterior.trainable_variables)
    with tf.name_scope("optimize"):  # and one on theta
        optimize = tf.group(infer, learning.minimize(loss, var_list=decoder.trainable_variables))
    return SimpleNamespace(**locals())


def evaluate(session: tf.Session, model: SimpleNamespace, images: np.ndarray, index: np.ndarray) -> np.ndarray:
    """The bound of each of images [N, 28, 28] of an index [N], in nats, with one sample of its code: [N]."""
    code = session.run(model.code, {model.index: index})
    return run_in_parts(session, model.elbo, {model.images: images, model.index: index, model.code: code})


def check_vae(logdir: Path, data: str) -> None:
    """Raises UserError if a folder that is not empty holds no VAE of two code dimensions, or one of other data or code.

    Args:
        data: what the data set says of itself.
    """
    if not logdir.exists() or not any(logdir.iterdir()):
        return
    config = read_config(logdir)
    if config is None or config["script"] != "vae" or config["code_size"] != 2:
        wrong = "no VAE with a code of two dimensions"
    elif config["data"] != data:
        wrong = f"a VAE of other data ({config['data']})"
    elif change := change_of_source(config):
        wrong = f"a VAE of other code ({change})"
    else:
        return
    raise UserError(f"{logdir} holds {wrong}: give another --vae-logdir; in a new folder one is trained first.")


def trained_vae(logdir: Path, data_dir: Path) -> tuple[tf.Session, SimpleNamespace]:
    """The VAE as vae.py left it in its run's folder; trained there first, or to its end, if it is not."""
    if not (logdir / "results.json").exists():
        print(f"{logdir} holds no VAE that is fully trained; doing that first.")
        flags = ("batch_size", "code_size", "hidden_size", "learning_rate", "seed")
        config = read_config(logdir) or {}
        epochs = max([15, *checkpoints.numbers_of(logdir)])  # as many as the lecture's, or more if there are
        given = {flag: config[flag] for flag in flags if flag in config}
        vae.main(epochs=epochs, logdir=logdir, data_dir=data_dir, **given)
    return load_run(logdir)


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
    flags = {"hidden_size": hidden_size, "learning_rate": learning_rate, "seed": seed}
    counts = {"train_images": train_images, "test_images": test_images}
    command_line.check_numbers(epochs=epochs, batch_size=batch_size, **counts, **flags)
    train, test = mnist.load("train", data_dir), mnist.load("test", data_dir)
    command_line.check_at_most(len(train.labels), train_images=train_images)
    command_line.check_at_most(len(test.labels), test_images=test_images)
    check_vae(vae_logdir, train.describe())
    train, test = train.first(train_images), test.first(test_images)
    # An image's number in the place of its label; a copy of the pixels, so that those of the others can go
    train = train._replace(pixels=train.pixels.copy(), labels=np.arange(train_images))
    config = flags | {"num_images": train_images, "batch_size": batch_size, "data": train.describe()}
    with tf.Graph().as_default(), tf.Session() as session, Run(__file__, logdir, config, fresh, (vae.__file__,)) as run:
        print(f"Slide 7 on {len(train.pixels):,} grey images of {train.name}, each with a Q(z).\nNats per image:")
        model = build_graph(len(train.pixels), **flags)
        pixels, index = tf.placeholder(tf.uint8, [None, 28, 28], "pixels"), tf.placeholder(tf.int32, [None], "indices")
        optimize_batches = each_batch(model.optimize, batch_size, {model.images: pixels, model.index: index})
        for epoch in run.epochs(session, epochs, len(train.pixels), slide=[model.elbo]):
            if epoch > 0:  # epoch 0 is the untrained model
                for batch in run.progress(mnist.batches(train, batch_size, [seed, epoch], BATCHES_PER_RUN)):
                    session.run(optimize_batches, {pixels: batch.pixels, index: batch.labels})
            run.write("train", epoch, {"elbo": evaluate(session, model, train.images, train.labels).mean()})
            run.save(session, epoch)
        elbo = evaluate(session, model, train.images, train.labels).mean()
        half_width = evidence.reach(session.run(model.mean, {model.index: train.labels}))
        log_likelihoods = {}
        for part, images in (("train", train.images[: len(test.pixels)]), ("test", test.images)):
            log_likelihoods[part] = evidence.by_quadrature(session, model, images, half_width).log_likelihood.mean()
            print(f"ln P(x) of its decoder on {len(images):,} {part} images {log_likelihoods[part]:.2f}, by quadrature")

        vae_session, trained = trained_vae(vae_logdir, data_dir)
        with vae_session, vae_session.graph.as_default():
            each_image = build_graph(len(test.pixels), decoder=trained.decoder)
            measured = gaps.measure(vae_session, trained, each_image, test.images)
            numbers = gaps.summarize(measured)
            print(gaps.describe(numbers, len(test.pixels), vae_logdir))
            pictures.draw(vae_session, trained, test, measured, run.pictures_dir)
        return run.finish(
            "posteriors.png",
            train_elbo_nats=elbo,
            slide_7_train_log_likelihood_nats=log_likelihoods["train"],
            slide_7_test_log_likelihood_nats=log_likelihoods["test"],
            test_images=len(test.pixels),
            **numbers,
        )


if __name__ == "__main__":
    command_line.run(main)
