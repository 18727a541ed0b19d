"""Figure 2 of Kingma, Welling 2014, "Auto-Encoding Variational Bayes": the bound by images seen and size of the code.

It is the VAE of slides 22-26 with 500 hidden units, once for each size. The paper's figure has the sizes 3, 5, 10, 20
and 200 on MNIST, the bound on training and on test images, and up to 10^8 training images seen; its claim is that more
dimensions than are needed do not make the model overfit, as the divergence keeps them out of use.

    .venv/bin/python lecture10_vae/beyond/aevb.py

The paper has tanh for relu, Adagrad for Adam, other initial weights, and a weight decay. The pixels are grey, as on the
slides. So the shape of the curves compares, and not their values.

After 100 epochs (seed 0) the bound on test images is -148.8 with 2 dimensions, -100.5 with 20, and -101.2 with 200, of
which 22 are in use. Half an hour on two cores; rerun the command to resume.
"""

from pathlib import Path

from lecture10_vae import vae
from lecture10_vae.beyond import importance, models, pictures
from lecture10_vae.each_batch import each_batch
from lecture10_vae.studies import codes
from lecture10_vae.tf1 import tf
from lecture10_vae.utils import command_line, mnist, plotting
from lecture10_vae.utils.run import Run, read_curves

import numpy as np

CODE_SIZES = (2, 3, 5, 10, 20, 200)  # the slides', and the paper's


def train_one(code_size: int, flags: dict, train: mnist.Dataset, test: mnist.Dataset, folder: Path) -> dict:
    """Trains the VAE of slides 22-26 in a folder of its own, or resumes it there. Returns its results."""
    seed, batch_size, seen = flags["seed"], flags["batch_size"], train.first(10_000)  # as many as there are test images
    with tf.Graph().as_default(), tf.Session() as session:
        model = vae.build_graph(code_size, flags["hidden_size"], flags["learning_rate"], seed)
        run = Run(__file__, folder, {"code_size": code_size} | flags, resume=True)
        if finished := models.read_results(run.folder):
            return finished
        # One session.run of `optimize` does the slide's step for each batch_size of the images that are fed
        optimize = each_batch(model.optimize, batch_size, [model.images], flags["plain"])
        session.run(tf.global_variables_initializer())
        for epoch in run.epochs(session, flags["epochs"]):  # 0 to epochs, with a progress bar
            if epoch > 0:  # 0 is before training
                for batch in mnist.batches(train, batch_size, [seed, epoch], together=100):
                    session.run(optimize, {model.images: batch.images})
            parts = {"train": seen, "test": test} if epoch in models.evaluated_epochs(flags["epochs"]) else {}
            run.log(session, epoch, **{part: vae.evaluate(session, model, parts[part].images) for part in parts})
        divergences = np.sort(codes.divergences(session, model, test.images))[::-1]
        numbers = codes.measure(session, model, test.images) | {"kl_by_dimension_nats": divergences.tolist()}
        numbers["active_units"] = importance.active_units(session.run(model.mean, {model.images: test.images}))
        curves = {part: read_curves(run.folder / part) for part in ("train", "test")}
        bounds = {f"{part}_elbo_nats": [value for _, value in curve["elbo"]] for part, curve in curves.items()}
        numbers |= {name: bound[-1] for name, bound in bounds.items()}
        numbers |= {"test_kl_nats": curves["test"]["kl"][-1][1], "curves": bounds}
        return run.finish(images_seen=[epoch * len(train) for epoch, _ in curves["test"]["elbo"]], **numbers)


def main(
    epochs: int = 100,
    batch_size: int = 100,
    hidden_size: int = 500,
    learning_rate: float = 1e-3,
    seed: int = 0,
    plain: bool = False,
    logdir: Path = Path("runs/paper_aevb"),
) -> dict:
    """Trains the VAE for each size of the code, and draws figure 2 of Kingma and Welling; rerun to resume.

    Args:
        epochs: passes over the 60,000 training images; 100 are 6 million images, as the paper counts.
        batch_size: images in a mini-batch.
        hidden_size: units in the hidden layer, of the encoder and of the decoder.
        learning_rate: of Adam.
        seed: of the initial weights, the order of the images and the noise.
        plain: train without XLA, TensorFlow's compiler: slower, but tf.print and all other operations work.
        logdir: the folder, with one of its own for each model.
    """
    flags = dict(locals())
    models.refuse_run(logdir)
    train, test = mnist.load("train"), mnist.load("test")
    numbers = {}
    for code_size in CODE_SIZES:
        print(f"{code_size} code dimensions, {hidden_size} hidden units. Nats per test image:")
        numbers[code_size] = train_one(code_size, flags, train, test, logdir / f"code_size_{code_size}")
    columns = ["train_elbo_nats", "test_elbo_nats", "test_kl_nats", "dimensions_in_use", "active_units", "seconds"]
    models.print_table(numbers, columns)
    plotting.save(pictures.draw_bounds(numbers), logdir / "bounds.png")
    plotting.save(pictures.draw_divergences(numbers), logdir / "divergences.png")
    return models.write_results(logdir, flags | {"by_code_size": numbers, "data": train.describe()})


if __name__ == "__main__":
    command_line.run(main)
