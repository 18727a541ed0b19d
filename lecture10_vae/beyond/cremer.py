"""Cremer, Li, Duvenaud 2018: inference suboptimality in variational auto-encoders, on a code of 50 dimensions.

How far the encoder's bound is below ln P(x), and why; slide 8's question, as amortized_inference.py asks it of two
dimensions, where none of the three is known without error:

    ln P(x) - best bound of a diagonal Gaussian for this image      the approximation gap
    that bound - the bound of the encoder's Q(z|x)                  the amortization gap

ln P(x) comes by annealed importance sampling (AIS), from that best Gaussian on; by AIS from the prior on, which has of
the encoder the size of its steps alone; and by importance sampling (IS) from encoder and Gaussian. In the mean all four
are lower bounds.

    .venv/bin/python lecture10_vae/beyond/iwae.py --epochs 240 --logdir runs/paper_iwae_equal/k1_0    # the model, first
    .venv/bin/python lecture10_vae/beyond/cremer.py                                                # make paper-cremer
    .venv/bin/python lecture10_vae/beyond/cremer.py --part train --first 1000 --logdir runs/paper_cremer_train

The second measures what the authors' released code does, the first 1,000 training images. All are made black or white
once. 300 images take three minutes on two cores.
"""

from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Literal

from lecture10_vae.beyond import annealing, importance, iwae, pictures, suboptimality
from lecture10_vae.each_batch import each_batch
from lecture10_vae.studies.gaps import inverse_softplus
from lecture10_vae.tf1 import tf, tfd
from lecture10_vae.utils import command_line, mnist
from lecture10_vae.utils.command_line import UserError
from lecture10_vae.utils.run import Run, restore
from lecture10_vae.variational_inference import make_posterior

import numpy as np


def build_graph(model: SimpleNamespace, num_images: int, samples: int = 10) -> SimpleNamespace:
    """Slide 7 on the decoder of a trained model, which stays as it is. Returns everything below by its name."""
    images, prior, decoder = model.images, model.prior, model.decoder
    code_size = prior.event_shape[0]
    every_posterior = tf.make_template("each_image", make_posterior, num_images=num_images, code_size=code_size)

    index = tf.placeholder(tf.int32, [None], "index")  # which of all images these are
    posterior = every_posterior(index)
    with tf.name_scope("code"):
        code = posterior.sample(samples)  # [samples, N, code_size], new ones in each session.run
    log_weights = partial(iwae.weigh, images, prior, posterior, decoder)

    with tf.name_scope("elbo"):
        reconstruction = tf.reduce_mean(decoder(code).log_prob(images), axis=0)
        elbo = reconstruction - tfd.kl_divergence(posterior, prior)  # [N], nats
    rate = tf.placeholder(tf.float32, [], "rate")
    inference = tf.train.AdamOptimizer(rate)
    with tf.name_scope("infer"):
        infer = inference.minimize(-tf.reduce_sum(elbo), var_list=every_posterior.trainable_variables)
    infer_all = each_batch(infer, num_images, [images, index])
    begin = tf.variables_initializer([*every_posterior.variables, *inference.variables()])
    return SimpleNamespace(**locals())


def build_measures(model, each_image, chains, distributions, prior_distributions) -> SimpleNamespace:
    """What ln P(x) is measured with. Returns everything below by its name."""
    by_encoder = importance.build_graph(model, [model.images])
    by_best = importance.build_graph(each_image, [model.images, each_image.index])
    from_best = annealing.build_graph(model, each_image.posterior, annealing.schedule(distributions, 1), chains)
    prior = tfd.MultivariateNormalDiag(tf.zeros_like(model.mean), tf.ones_like(model.mean))
    from_prior = annealing.build_graph(model, prior, annealing.schedule(prior_distributions), chains)
    return SimpleNamespace(**locals())


def infer_images(
    session: tf.Session, each_image: SimpleNamespace, images: np.ndarray, mean, stddev, steps: int, rate: float
) -> None:
    """Fits the Gaussian of each of images [N, 28, 28], from means and stddevs [N, code_size] on."""
    session.run(each_image.begin)
    means, inputs = each_image.every_posterior.trainable_variables
    means.load(mean, session)
    inputs.load(inverse_softplus(stddev), session)
    feed = {each_image.images: images, each_image.index: np.arange(len(images))}
    for step in range(steps):  # a rate that falls to 0 lets the noise of the samples average out
        session.run(each_image.infer_all, feed | {each_image.rate: rate * (1 - step / steps)})


def main(
    run: Path = Path("runs/paper_iwae_equal/k1_0"),
    part: Literal["test", "train"] = "test",
    first: int = 300,
    prior_images: int = 40,
    steps: int = 400,
    importance_samples: int = 5_000,
    chains: int = 16,
    distributions: int = 100,
    prior_distributions: int = 1_000,
    seed: int = 0,
    logdir: Path = Path("runs/paper_cremer"),
) -> dict:
    """Measures the gaps of a model that iwae.py has trained, as Cremer et al. 2018, table 2.

    Args:
        run: the folder of the trained model's run, the newest epoch of which is measured.
        part: of MNIST, whose images are measured, black or white as one draw made them.
        first: how many of its first images, or all if there are fewer.
        prior_images: how many of these by AIS from the prior on, too.
        steps: of gradient ascent on each image's Gaussian.
        importance_samples: codes of each image for IS and for the bounds.
        chains: codes of each image that AIS leads to the posterior.
        distributions: that AIS leads them through, from the best Gaussian on.
        prior_distributions: the same from the prior on.
        seed: of all noise.
        logdir: the folder for pictures and numbers.
    """
    flags = dict(locals())
    if tf.train.latest_checkpoint(str(run)) is None:
        raise UserError(
            f"{run} holds no trained model: .venv/bin/python lecture10_vae/beyond/iwae.py --epochs 240 --logdir {run} "
            "makes one."
        )
    images = mnist.binarize(mnist.load(part).first(first).pixels, iwae.BINARIZATION)
    with tf.Graph().as_default(), tf.Session() as session:
        model = iwae.build_graph(seed=seed)
        restore(session, run)
        each_image = build_graph(model, len(images))
        measures = build_measures(model, each_image, chains, distributions, prior_distributions)
        own = Run(__file__, logdir, flags, parts=(part,), resume=True)
        rows = {model.images: images}
        of_each = rows | {each_image.index: np.arange(len(images), dtype=np.int32)}

        print(f"The model of {run} on the first {len(images):,} {part} images, black or white.")
        by_encoder = importance.estimate(session, measures.by_encoder, rows, importance_samples)
        mean, stddev = session.run([model.mean, model.stddev], rows)
        infer_images(session, each_image, images, mean, stddev, steps, rate=0.03)
        by_best = importance.estimate(session, measures.by_best, of_each, importance_samples)
        from_best = annealing.estimate(session, measures.from_best, of_each, seed + 1)
        some = {model.images: images[:prior_images]}
        from_prior = annealing.estimate(session, measures.from_prior, some, seed + 1)

        measured = suboptimality.Measured(by_encoder, by_best, from_best, from_prior)
        numbers = suboptimality.summarize(measured)
        suboptimality.show(numbers)
        pictures.draw_cremer(measured, numbers, own.folder)
        return own.finish(**numbers)


if __name__ == "__main__":
    command_line.run(main)
