"""Figure 2 of Kingma, Welling 2014, "Auto-Encoding Variational Bayes": the bound by images seen and size of the code.

It is the VAE of slides 22-26 with 500 hidden units, once for each size. The paper's figure has the sizes 3, 5, 10, 20
and 200 on MNIST, the bound on training and on test images, and up to 10^8 training images seen; its claim is that more
dimensions than are needed do not make the model overfit, as the divergence keeps them out of use.

    python lecture10_vae/beyond/aevb.py

The paper has tanh for relu, Adagrad (a rate of 0.01, 0.02 or 0.1) for Adam, initial weights from N(0, 0.01) and a
weight decay by a prior N(0, I). The pixels here are grey, as on the slides. So the shape of the curves compares, and
not their values.

After 100 epochs (seed 0) the bound on test images is -148.8 with 2 dimensions, -100.5 with 20, and -101.2 with 200, of
which 22 are in use. Half an hour on two cores.
"""

from pathlib import Path

from lecture10_vae import vae
from lecture10_vae.pictures import beyond_aevb as pictures
from lecture10_vae.studies import codes, importance
from lecture10_vae.tf1 import BATCHES_PER_RUN, each_batch, tf
from lecture10_vae.utils import command_line, mnist, plotting
from lecture10_vae.utils.files import write_json
from lecture10_vae.utils.run import Run, refuse_run

CODE_SIZES = (2, 3, 5, 10, 20, 200)  # the slides', and the paper's


def evaluated_epochs(epochs: int) -> set[int]:
    """About twenty of a hundred, closer together at the beginning, where the bound changes fast."""
    return {*range(min(epochs, 10)), *range(10, epochs, 10), epochs}


def train_one(flags: dict, epochs: int, batch_size: int, logdir: Path, data: dict, fresh: bool) -> dict[str, object]:
    """Trains the VAE of slides 22-26 in a folder of its own, or goes on with it there.

    Args:
        flags: what `vae.build_graph` takes.
        data: the parts "train" and "test" of the data set.

    Returns:
        The bound by images seen, and the trained model's numbers on test images.
    """
    train, test = data["train"], data["test"]
    shown = {"train": train.first(10_000).images, "test": test.images}  # so many, that the two curves compare
    config = flags | {"batch_size": batch_size, "pixels": "grey", "data": train.describe()}
    with tf.Graph().as_default(), tf.Session() as session, Run(__file__, logdir, config, fresh, (vae.__file__,)) as run:
        print(f"{flags['code_size']} code dimensions, {flags['hidden_size']} hidden units. Nats per test image:")
        model = vae.build_graph(**flags)
        pixels = tf.placeholder(tf.uint8, [None, 28, 28], "pixels")
        optimize_batches = each_batch(model.optimize, batch_size, {model.images: pixels})
        for epoch in run.epochs(session, epochs, len(train.pixels)):
            if epoch > 0:  # epoch 0 is the untrained model
                for batch in run.progress(mnist.batches(train, batch_size, [flags["seed"], epoch], BATCHES_PER_RUN)):
                    session.run(optimize_batches, {pixels: batch.pixels})
            if epoch in evaluated_epochs(epochs):
                for part, images in shown.items():
                    run.write(part, epoch, vae.evaluate(session, model, images))
            run.save(session, epoch)
        numbers = codes.measure(session, model, test.images)
        numbers["active_units"] = importance.active_units(session.run(model.mean, {model.images: test.images}))
        numbers["kl_by_dimension_nats"] = sorted(codes.divergences(session, model, test.images).tolist(), reverse=True)
    return summarize(run.history, len(train.pixels)) | numbers


def summarize(history: list[dict], images_per_epoch: int) -> dict[str, object]:
    """What a run has come to: the bound on both parts by training images seen, its last values, and the seconds."""
    evaluated = [epoch for epoch in history if "test" in epoch]
    curves = {f"{part}_elbo_nats": [epoch[part]["elbo"] for epoch in evaluated] for part in ("train", "test")}
    return {
        "images_seen": [epoch["epoch"] * images_per_epoch for epoch in evaluated],
        "curves": curves,
        **{name: curve[-1] for name, curve in curves.items()},
        "test_kl_nats": evaluated[-1]["test"]["kl"],
        "seconds": round(sum(epoch["seconds"] for epoch in history), 1),
    }


def describe(numbers: dict[int, dict]) -> str:
    """A table of what each size of the code came to."""
    lines = ["code  train bound  test bound  test KL  in use  active units  seconds"]
    for code_size, of_size in numbers.items():
        lines.append(
            f"{code_size:4d}  {of_size['train_elbo_nats']:11.2f}  {of_size['test_elbo_nats']:10.2f}"
            f"  {of_size['test_kl_nats']:7.2f}  {of_size['dimensions_in_use']:6d}  {of_size['active_units']:12d}"
            f"  {of_size['seconds']:7.0f}"
        )
    return "\n".join(lines)


def main(
    epochs: int = 100,
    batch_size: int = 100,
    hidden_size: int = 500,
    learning_rate: float = 1e-3,
    seed: int = 0,
    logdir: Path = Path("runs/paper_aevb"),
    data_dir: Path = mnist.DATA_DIR,
    fresh: bool = False,
) -> dict:
    """Trains the VAE for each size of the code, and draws figure 2 of Kingma and Welling; goes on where it stopped.

    Args:
        epochs: passes over the 60,000 training images; 100 are 6 million images, as the paper counts.
        batch_size: images in a mini-batch.
        hidden_size: units in the hidden layer, of the encoder and of the decoder.
        learning_rate: of Adam.
        seed: of the initial weights, the order of the images and the noise.
        logdir: the folder, with one of its own for each model, for checkpoints, curves, pictures and numbers.
        data_dir: the folder with MNIST's four files.
        fresh: begin anew, replacing the runs in the folder.

    Returns:
        What results.json says.
    """
    flags = {"hidden_size": hidden_size, "learning_rate": learning_rate, "seed": seed}
    command_line.check_numbers(epochs=epochs, batch_size=batch_size, **flags)
    refuse_run(logdir)
    data = {part: mnist.load(part, data_dir) for part in ("train", "test")}
    numbers = {
        size: train_one({"code_size": size} | flags, epochs, batch_size, logdir / f"code_size_{size}", data, fresh)
        for size in CODE_SIZES
    }
    print(describe(numbers))
    plotting.save(pictures.draw(numbers), logdir / "bounds.png")
    plotting.save(pictures.draw_divergences(numbers), logdir / "divergences.png")
    results = {"by_code_size": numbers, "epochs": epochs, "batch_size": batch_size, "pixels": "grey"} | flags
    results["data"] = data["train"].describe()
    write_json(logdir / "results.json", results)
    print(f"Pictures: {logdir / 'bounds.png'}, {logdir / 'divergences.png'}")
    return results


if __name__ == "__main__":
    command_line.run(main)
