"""Cremer, Li, Duvenaud 2018: inference suboptimality in variational auto-encoders, on a code of 50 dimensions.

How far the encoder's bound is below ln P(x), and why; slide 8's question, as variational_inference.py asks it of two
dimensions, where none of the three is known without error:

    ln P(x) - best bound of a diagonal Gaussian for this image      the approximation gap
    that bound - the bound of the encoder's Q(z|x)                  the amortization gap

ln P(x) comes by annealed importance sampling (AIS), from that best Gaussian on; by AIS from the prior on, which has of
the encoder the size of its steps alone; and by importance sampling (IS) from encoder and Gaussian. In the mean all four
are lower bounds.

    python lecture10_vae/beyond/iwae.py --logdir runs/paper_iwae/k1      # the model, first
    python lecture10_vae/beyond/cremer.py                                # make paper-cremer

After 1,000 epochs (seed 0), on the first 300 test images: ln P(x) -83.4, approximation gap 1.7, amortization gap 2.2.
IS by 5,000 codes of the encoder is 0.3 below AIS, by those of the best Gaussian 0.05. Three minutes on two cores.
"""

from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from lecture10_vae.beyond import iwae
from lecture10_vae.load_run import load_run
from lecture10_vae.pictures import beyond_cremer as pictures
from lecture10_vae.studies import annealing, gaps, importance, suboptimality
from lecture10_vae.studies.gaussians import Gaussian
from lecture10_vae.tf1 import tf, tfd
from lecture10_vae.utils import checkpoints, command_line, mnist
from lecture10_vae.utils.run import Run
from lecture10_vae.variational_inference import make_posterior


def build_graph(model: SimpleNamespace, num_images: int, samples: int = 10, seed: int = 0) -> SimpleNamespace:
    """Slide 7 on the decoder of a trained model, which stays as it is. Returns everything below by its name."""
    step = tf.train.get_or_create_global_step()
    images, prior, decoder = model.images, model.prior, model.decoder
    code_size = prior.event_shape[0]
    every_posterior = tf.make_template("each_image", make_posterior, num_images=num_images, code_size=code_size)

    index = tf.placeholder(tf.int32, [None], "index")  # which of all images these are
    posterior = every_posterior(index)
    with tf.name_scope("code"):
        noise_seed = tf.stack([seed, tf.cast(step, tf.int32)])
        code = posterior.sample(samples, seed=noise_seed)  # [samples, N, code_size]
    log_weights = partial(iwae.weigh, images, prior, posterior, decoder)

    with tf.name_scope("elbo"):
        reconstruction = tf.reduce_mean(decoder(code).log_prob(images), axis=0)
        elbo = reconstruction - tfd.kl_divergence(posterior, prior)  # [N], nats
    inference_rate = tf.placeholder_with_default(0.03, [], "inference_rate")
    inference = tf.train.AdamOptimizer(inference_rate)
    with tf.name_scope("infer"):
        infer = inference.minimize(-tf.reduce_sum(elbo), step, every_posterior.trainable_variables)
    return SimpleNamespace(**locals())


def read_model(logdir: Path) -> checkpoints.Epoch:
    """The newest epoch of the trained model in a folder. Raises UserError, with the command that trains one."""
    saved = iwae.read_run(logdir)
    if saved is None:
        command = f"python lecture10_vae/beyond/iwae.py --logdir {logdir}"
        raise command_line.UserError(f"{logdir} holds no run of iwae.py: {command} makes one, or give another --run.")
    return saved


def main(
    run: Path = Path("runs/paper_iwae/k1"),
    test_images: int = 300,
    prior_images: int = 40,
    steps: int = 400,
    importance_samples: int = 5_000,
    chains: int = 16,
    distributions: int = 100,
    prior_distributions: int = 1_000,
    seed: int = 0,
    logdir: Path = Path("runs/paper_cremer"),
    data_dir: Path = mnist.DATA_DIR,
    fresh: bool = False,
) -> dict:
    """Measures the gaps of a model that iwae.py has trained, as Cremer et al. 2018, table 2, on test images.

    Args:
        run: the folder of the trained model's run, the newest epoch of which is measured.
        test_images: how many of MNIST's are measured.
        prior_images: how many of these by AIS from the prior on, too.
        steps: of gradient ascent on each image's Gaussian.
        importance_samples: codes of each image for IS and for the bounds.
        chains: codes of each image that AIS leads to the posterior.
        distributions: that AIS leads them through, from the best Gaussian on.
        prior_distributions: the same from the prior on.
        seed: of all noise.
        logdir: the folder for pictures and numbers.
        data_dir: the folder with MNIST's four files.
        fresh: replace what an earlier run with other flags has left in the folder.

    Returns:
        What results.json says.
    """
    flags = {"test_images": test_images, "prior_images": prior_images, "steps": steps, "chains": chains, "seed": seed}
    flags |= {"distributions": distributions, "prior_distributions": prior_distributions}
    flags |= {"importance_samples": importance_samples}
    command_line.check_numbers(**flags)
    test = mnist.load("test", data_dir)
    command_line.check_at_most(len(test.pixels), test_images=test_images)
    command_line.check_at_most(test_images, prior_images=prior_images)
    pixels = mnist.binarize(test.pixels, iwae.BINARIZATION)[:test_images]
    saved = read_model(run)
    model_of = {name: saved.config[name] for name in ("samples", "objective", "batch_size", "schedule", "data")}
    config = flags | {"model": model_of | {"seed": saved.config["seed"], "epoch": saved.number}}
    session, model = load_run(run, saved.number)
    with session, session.graph.as_default(), Run(__file__, logdir, config, fresh) as own:
        each_image = build_graph(model, test_images, seed=seed)
        own.begin(session)
        checkpoints.load(session, saved)  # begin has started all variables
        print(
            f"The model of {run} after epoch {saved.number}, on the first {test_images:,} test images, black or white."
        )
        images, index = pixels / np.float32(255), np.arange(test_images)
        encoder = Gaussian(*session.run([model.posterior.mean(), model.posterior.stddev()], {model.images: images}))
        by_encoder = importance.estimate(session, model, pixels, importance_samples, seed=seed + 1)
        print(f"bound, encoder                          {by_encoder.elbo.mean():9.2f}", flush=True)

        by_step, _ = gaps.infer_images(session, each_image, images, encoder, steps, rate=0.03)
        by_best = importance.estimate(session, each_image, pixels, importance_samples, seed=seed + 1, index=index)
        print(f"bound, best Gaussian for each image     {by_best.elbo.mean():9.2f}", flush=True)

        start = each_image.posterior
        graph = annealing.build_graph(model, start, annealing.schedule(distributions, 1), chains)
        annealed = annealing.estimate(session, graph, {model.images: images, each_image.index: index}, seed + 1)
        prior = tfd.MultivariateNormalDiag(tf.zeros_like(model.mean), tf.ones_like(model.mean))
        graph = annealing.build_graph(model, prior, annealing.schedule(prior_distributions), chains)
        from_prior = annealing.estimate(session, graph, {model.images: images[:prior_images]}, seed + 1)

        measured = suboptimality.Measured(by_encoder, by_best, annealed, from_prior, by_step)
        numbers = suboptimality.summarize(measured)
        print(suboptimality.describe(numbers))
        pictures.draw(measured, numbers, own.pictures_dir)
        return own.finish("gaps.png", **numbers)


if __name__ == "__main__":
    command_line.run(main)
