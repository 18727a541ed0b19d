"""beta and collapse: what a weight on the divergence does to the VAE of slides 22-26, and to the dimensions in use.

The step maximizes reconstruction - beta * kl in place of the bound (Higgins et al. 2017, "beta-VAE"). By Alemi et al.
2018, "Fixing a Broken ELBO", kl is a rate, how many nats a code takes; -reconstruction is a distortion, how many nats
of the image are then missing; and -elbo is their sum. A small beta buys less distortion at a higher rate, a large one
saves rate. Only beta = 1 maximizes the bound itself.

A warm-up (Bowman et al. 2016; Sonderby et al. 2016) lets beta rise from 0 to 1 over the first epochs, so that the
divergence does not close dimensions of the code before the decoder has a use for them. It is tried on 50 dimensions.

    python lecture10_vae/beyond/rate_distortion.py

After 15 epochs, on test images with grey pixels, mean of seeds 0 to 2, beta = 0.25, 1 and 4 come to rates of 8.9, 5.6
and 3.5 nats and to distortions of 149.9, 153.5 and 158.4. The bounds of beta = 0.25 to 2 are between -159.1 and -158.0,
about as far apart as those of two seeds; that of 4 is -161.9. Of 50 dimensions 24 are in use after 40 epochs without a
warm-up, and 29 with one over 10 epochs; their bounds are -107.5 and -108.9, so that here the dimensions which a warm-up
keeps in use do not pay. A quarter of an hour on two cores.
"""

import itertools
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from lecture10_vae import vae
from lecture10_vae.pictures import beyond_rate_distortion as pictures
from lecture10_vae.studies import codes, importance
from lecture10_vae.tf1 import BATCHES_PER_RUN, each_batch, tf
from lecture10_vae.utils import command_line, mnist, plotting
from lecture10_vae.utils.files import write_json
from lecture10_vae.utils.run import Run, refuse_run

BETAS = (0.25, 0.5, 1.0, 2.0, 4.0)
CODE_SIZE = 50  # of the models with and without a warm-up


def build_graph(code_size=2, hidden_size=100, learning_rate=1e-3, seed=0) -> SimpleNamespace:
    """Slides 22-23 with a weight on the divergence. Returns what `vae.build_graph` does, with another step."""
    model = vae.build_graph(code_size, hidden_size, learning_rate, seed)
    beta = tf.placeholder_with_default(1.0, [], "beta")
    with tf.name_scope("objective"):
        objective = model.reconstruction - beta * model.kl  # [N], nats; the bound itself where beta is 1
    with tf.name_scope("optimize_objective"):
        optimize = tf.train.AdamOptimizer(learning_rate).minimize(-tf.reduce_mean(objective), model.step)
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


def train_one(
    flags: dict, beta: float, warm_up: float, epochs: int, batch_size: int, logdir: Path, data: dict, fresh: bool
) -> list[dict]:
    """Trains a model in a folder of its own, or goes on with it there.

    Args:
        flags: what `build_graph` takes.
        warm_up: epochs over which beta rises from 0; none if 0.
        data: the parts "train" and "test" of the data set.

    Returns:
        What `evaluate` says of the test images, by epoch; and the seconds.
    """
    train, test = data["train"], data["test"]
    config = {"beta": beta, "warm_up_epochs": warm_up, "batch_size": batch_size, "pixels": "grey"}
    config = flags | config | {"data": train.describe()}
    with tf.Graph().as_default(), tf.Session() as session, Run(__file__, logdir, config, fresh, (vae.__file__,)) as run:
        model = build_graph(**flags)
        pixels = tf.placeholder(tf.uint8, [None, 28, 28], "pixels")
        weight = tf.placeholder(tf.float32, [], "weight")
        optimize_batches = each_batch(model.optimize, batch_size, {model.images: pixels, model.beta: weight})
        for epoch in run.epochs(session, epochs, len(train.pixels)):
            if epoch > 0:  # epoch 0 is the untrained model
                done = epoch - 1
                for batch in run.progress(mnist.batches(train, batch_size, [flags["seed"], epoch], BATCHES_PER_RUN)):
                    session.run(optimize_batches, {pixels: batch.pixels, weight: beta_after(done, beta, warm_up)})
                    done += len(batch.pixels) / len(train.pixels)
            run.write("test", epoch, evaluate(session, model, test.images))
            run.save(session, epoch)
    return [epoch["test"] | {"epoch": epoch["epoch"], "seconds": epoch["seconds"]} for epoch in run.history]


def over_seeds(histories: list[list[dict]]) -> dict[str, dict[str, list[float]]]:
    """Mean and stddev over seeds of each number, by epoch."""
    spread = {}
    for name in histories[0][0]:
        values = np.array([[epoch[name] for epoch in history] for history in histories], np.float64)
        spread[name] = {"mean": values.mean(axis=0).tolist(), "stddev": values.std(axis=0, ddof=1).tolist()}
    return spread


def describe(numbers: dict[str, dict]) -> str:
    """A table of what each variant came to, mean over seeds."""
    lines = [f"{'':14}   rate  distortion    bound (stddev)  in use  active units"]
    for name, spread in numbers.items():
        rate, reconstruction, elbo = (spread[part]["mean"][-1] for part in ("kl", "reconstruction", "elbo"))
        counts = [spread[part]["mean"][-1] for part in ("dimensions_in_use", "active_units")]
        lines.append(
            f"{name:14}  {rate:5.2f}  {-reconstruction:10.2f}  {elbo:7.2f} ({spread['elbo']['stddev'][-1]:6.2f})"
            f"  {counts[0]:6.1f}  {counts[1]:12.1f}"
        )
    return "\n".join(lines)


def main(
    epochs: int = 15,
    warm_up: int = 10,
    long_epochs: int = 40,
    seeds: int = 3,
    batch_size: int = 100,
    hidden_size: int = 100,
    learning_rate: float = 1e-3,
    logdir: Path = Path("runs/paper_beta"),
    data_dir: Path = mnist.DATA_DIR,
    fresh: bool = False,
) -> dict:
    """Trains the VAE with each beta, and with 50 code dimensions with and without a warm-up; goes on where it stopped.

    Args:
        epochs: passes over the 60,000 training images, for each beta.
        warm_up: of the passes with 50 code dimensions, those over which beta rises from 0 to 1.
        long_epochs: passes with 50 code dimensions.
        seeds: how many: 0, 1, and so on, of the initial weights, the order of the images and the noise.
        batch_size: images in a mini-batch.
        hidden_size: units in the hidden layer, of the encoder and of the decoder.
        learning_rate: of Adam.
        logdir: the folder, with one of its own for each model, for checkpoints, curves, pictures and numbers.
        data_dir: the folder with MNIST's four files.
        fresh: begin anew, replacing the runs in the folder.

    Returns:
        What results.json says.
    """
    flags = {"hidden_size": hidden_size, "learning_rate": learning_rate}
    command_line.check_numbers(epochs=epochs, warm_up=warm_up, long_epochs=long_epochs, seeds=seeds, **flags)
    command_line.check_numbers(batch_size=batch_size)
    refuse_run(logdir)
    data = {part: mnist.load(part, data_dir) for part in ("train", "test")}
    variants = {f"beta_{beta:g}": (2, beta, 0, epochs) for beta in BETAS}
    variants |= {"no_warm_up": (CODE_SIZE, 1.0, 0, long_epochs), "warm_up": (CODE_SIZE, 1.0, warm_up, long_epochs)}
    histories = {name: [] for name in variants}
    for (name, (code_size, beta, rise, passes)), seed in itertools.product(variants.items(), range(seeds)):
        print(f"{name}, seed {seed}: {code_size} code dimensions. Nats per test image:")
        seeded = flags | {"code_size": code_size, "seed": seed}
        folder = logdir / name / f"seed_{seed}"
        histories[name].append(train_one(seeded, beta, rise, passes, batch_size, folder, data, fresh))
    numbers = {name: over_seeds(of_variant) for name, of_variant in histories.items()}
    print(describe(numbers))
    plotting.save(pictures.draw_curve({beta: numbers[f"beta_{beta:g}"] for beta in BETAS}), logdir / "curve.png")
    plotting.save(pictures.draw_warm_up(numbers, warm_up, CODE_SIZE), logdir / "warm_up.png")
    results = {"by_variant": numbers, "seeds": seeds, "warm_up_epochs": warm_up, "pixels": "grey"} | flags
    results |= {"batch_size": batch_size, "data": data["train"].describe()}
    write_json(logdir / "results.json", results)
    print(f"Pictures: {logdir / 'curve.png'}, {logdir / 'warm_up.png'}")
    return results


if __name__ == "__main__":
    command_line.run(main)
