"""beta and collapse: what a weight on the divergence does to the VAE of slides 22-26, and to the dimensions in use.

The step maximizes reconstruction - beta * kl in place of the bound (Higgins et al. 2017, "beta-VAE"). By Alemi et al.
2018, "Fixing a Broken ELBO", kl is a rate, how many nats a code takes; -reconstruction is a distortion, how many nats
of the image are then missing; and -elbo is their sum. A small beta buys less distortion at a higher rate, a large one
saves rate. Only beta = 1 maximizes the bound itself.

A warm-up (Bowman et al. 2016; Sonderby et al. 2016) lets beta rise from 0 to 1 over the first epochs, so that the
divergence does not close dimensions of the code before the decoder has a use for them. It is tried on 50 dimensions.

    .venv/bin/python lecture10_vae/beyond/rate_distortion.py

After 15 epochs, on grey test images, mean of seeds 0 to 2, beta = 0.25, 1 and 4 come to rates of 8.9, 5.6 and 3.5 nats,
to distortions of 149.9, 153.5 and 158.4, and to bounds that differ by 4 nats at most. Of 50 dimensions 24 are in use
after 40 epochs without a warm-up, and 29 with one over 10 epochs, whose bound is 1.4 nats lower. A quarter of an hour;
rerun the command to resume.
"""

import itertools
from pathlib import Path
from types import SimpleNamespace

from lecture10_vae import vae
from lecture10_vae.beyond import importance, models, pictures
from lecture10_vae.beyond.experiments.over_seeds import mean_and_stddev_of_each
from lecture10_vae.each_batch import each_batch
from lecture10_vae.studies import codes
from lecture10_vae.tf1 import tf
from lecture10_vae.utils import command_line, mnist, plotting
from lecture10_vae.utils.run import Run, read_curves

import numpy as np

BETAS = (0.25, 0.5, 1.0, 2.0, 4.0)
CODE_SIZE = 50  # of the models with and without a warm-up
TOGETHER = 100  # mini-batches in a session.run, with one beta


def build_graph(code_size=2, hidden_size=100, learning_rate=1e-3, seed=0) -> SimpleNamespace:
    """Slides 22-23 with a weight on the divergence. Returns what `vae.build_graph` does, with another step."""
    model = vae.build_graph(code_size, hidden_size, learning_rate, seed)
    beta = tf.placeholder_with_default(1.0, [], "beta")
    with tf.name_scope("objective"):
        objective = model.reconstruction - beta * model.kl  # [N], nats; the bound itself where beta is 1
    with tf.name_scope("optimize_objective"):
        optimize = tf.train.AdamOptimizer(learning_rate).minimize(-tf.reduce_mean(objective))
    return SimpleNamespace(**vars(model) | {"beta": beta, "objective": objective, "optimize": optimize})


def beta_after(epochs: float, beta: float, warm_up: float) -> float:
    """The weight after so many epochs: it rises evenly from 0 to `beta` over the first `warm_up`, and stays there."""
    return beta * min(1.0, epochs / warm_up) if warm_up else beta


def evaluate(session: tf.Session, model: SimpleNamespace, images: np.ndarray) -> dict[str, float]:
    """The bound and its parts, in nats, and two counts of the code's dimensions that are in use.

    That of Burda et al. 2016 counts more. Where stddevs are alike, and all codes together distributed as the prior, a
    mean of variance v goes with -ln(1 - v) / 2 nats: their variance of 0.01 with 0.005, the 0.1 of `codes` with 0.18.
    """
    numbers = vae.evaluate(session, model, images) | codes.measure(session, model, images)
    return numbers | {"active_units": importance.active_units(session.run(model.mean, {model.images: images}))}


def train_one(variant: dict, flags: dict, train: mnist.Dataset, test: mnist.Dataset, folder: Path) -> dict[str, list]:
    """Trains a model in a folder of its own, or resumes it there.

    Args:
        variant: code_size, beta, rise (epochs over which beta rises from 0; none if 0), epochs and seed.
        flags: the others, of `main`.

    Returns:
        What `evaluate` says of the test images, by epoch.
    """
    code_size, beta, rise, epochs, seed = variant.values()
    batch_size = flags["batch_size"]
    with tf.Graph().as_default(), tf.Session() as session:
        model = build_graph(code_size, flags["hidden_size"], flags["learning_rate"], seed)
        run = Run(__file__, folder, flags | variant, parts=("test",), resume=True)
        # One session.run of `optimize` does the slide's step for each batch_size of the images that are fed
        optimize = each_batch(model.optimize, batch_size, [model.images], flags["plain"])
        session.run(tf.global_variables_initializer())
        for epoch in run.epochs(session, epochs):  # 0 to epochs, with a progress bar
            if epoch > 0:  # 0 is before training
                for i, batch in enumerate(mnist.batches(train, batch_size, [seed, epoch], TOGETHER)):
                    done = epoch - 1 + i * TOGETHER * batch_size / len(train)
                    session.run(optimize, {model.images: batch.images, model.beta: beta_after(done, beta, rise)})
            run.log(session, epoch, test=evaluate(session, model, test.images))
    curves = read_curves(run.folder / "test")
    by_epoch = {name: [value for _, value in curve] for name, curve in curves.items()}
    return by_epoch | {"epoch": [epoch for epoch, _ in curves["elbo"]]}


def main(
    epochs: int = 15,
    warm_up: int = 10,
    long_epochs: int = 40,
    seeds: int = 3,
    batch_size: int = 100,
    hidden_size: int = 100,
    learning_rate: float = 1e-3,
    plain: bool = False,
    logdir: Path = Path("runs/paper_beta"),
) -> dict:
    """Trains the VAE with each beta, and with 50 code dimensions with and without a warm-up; rerun to resume.

    Args:
        epochs: passes over the 60,000 training images, for each beta.
        warm_up: of the passes with 50 code dimensions, those over which beta rises from 0 to 1.
        long_epochs: passes with 50 code dimensions.
        seeds: how many: 0, 1, and so on, of the initial weights, the order of the images and the noise.
        batch_size: images in a mini-batch.
        hidden_size: units in the hidden layer, of the encoder and of the decoder.
        learning_rate: of Adam.
        plain: train without XLA, TensorFlow's compiler: slower, but tf.print and all other operations work.
        logdir: the folder, with one of its own for each model.
    """
    flags = dict(locals())
    models.refuse_run(logdir)
    train, test = mnist.load("train"), mnist.load("test")
    own = ("epochs", "warm_up", "long_epochs", "seeds")  # the others are every model's
    shared = {name: value for name, value in flags.items() if name not in own}
    variants = {f"beta_{beta:g}": (2, beta, 0, epochs) for beta in BETAS}
    variants |= {"no_warm_up": (CODE_SIZE, 1.0, 0, long_epochs), "warm_up": (CODE_SIZE, 1.0, warm_up, long_epochs)}
    by_variant = {name: [] for name in variants}
    for (name, values), seed in itertools.product(variants.items(), range(seeds)):
        variant = dict(zip(("code_size", "beta", "rise", "epochs"), values, strict=True)) | {"seed": seed}
        print(f"{name}, seed {seed}: {variant['code_size']} code dimensions. Nats per test image:")
        by_variant[name].append(train_one(variant, shared, train, test, logdir / name / f"seed_{seed}"))
    numbers = {name: mean_and_stddev_of_each(by_seed) for name, by_seed in by_variant.items()}
    last = {name: {part: spread["mean"][-1] for part, spread in parts.items()} for name, parts in numbers.items()}
    models.print_table(last, ["kl", "reconstruction", "elbo", "dimensions_in_use", "active_units"])
    plotting.save(pictures.draw_curve({beta: numbers[f"beta_{beta:g}"] for beta in BETAS}), logdir / "curve.png")
    plotting.save(pictures.draw_warm_up(numbers, warm_up, CODE_SIZE), logdir / "warm_up.png")
    results = {"by_variant": numbers, "warm_up_epochs": warm_up, "data": train.describe()}
    return models.write_results(logdir, flags | results)


if __name__ == "__main__":
    command_line.run(main)
