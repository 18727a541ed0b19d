"""Slides 8-9: why an encoder should learn what slide 7 infers image by image, measured on test images.

For the VAE that vae.py has trained, whose decoder stays as it is: how many gradient steps an image needs to come where
the encoder is in one pass, and how far below ln P(x) the encoder's bound is. That has two parts and no third:

    ln P(x) - best bound of a diagonal Gaussian for this image      the approximation gap
    that bound - the bound of the encoder's Q(z|x)                  the amortization gap    (Cremer, Li, Duvenaud 2018)

    .venv/bin/python lecture10_vae/vae.py                     # the VAE, first
    .venv/bin/python lecture10_vae/amortized_inference.py

Ten seconds on two cores. The images' mean bound needs between 50 and 100 steps to come where the encoder has it in
one pass. Of the 3.6 nats that this is below ln P(x), the amortization gap has at least 3.5 and the approximation gap at
most 0.11 (seed 0; the best Gaussian is the best that was found).
"""

from pathlib import Path
from types import SimpleNamespace

from lecture10_vae import vae, variational_inference
from lecture10_vae.each_batch import each_batch
from lecture10_vae.pictures import amortized_inference as pictures
from lecture10_vae.studies import gaps
from lecture10_vae.tf1 import tf
from lecture10_vae.utils import command_line, mnist
from lecture10_vae.utils.command_line import UserError
from lecture10_vae.utils.run import Run, read_flags, restore


def load_vae(session: tf.Session, folder: Path) -> SimpleNamespace:
    """The trained VAE of a run, in the session's graph. Raises UserError if it is none of two dimensions."""
    flags = read_flags(folder)
    if flags.get("code_size") != 2:
        raise UserError(
            f"{folder} holds no VAE of two dimensions: .venv/bin/python lecture10_vae/vae.py trains one in runs/vae."
        )
    model = vae.build_graph(flags["code_size"], flags["hidden_size"])
    restore(session, folder)
    return model


def main(
    test_images: int = 2_000,
    vae_run: Path = Path("runs/vae"),
    seed: int = 0,
    logdir: Path = Path("runs/amortized_inference"),
    data_dir: Path = mnist.DATA_DIR,
) -> dict:
    """Measures slide 8's arguments on the VAE of vae.py: gradient steps for each image, and what the encoder loses.

    Args:
        test_images: how many of MNIST's test images are inferred.
        vae_run: the folder of a run of vae.py.
        seed: of the noise in the gradient steps.
        logdir: the run's folder; where it exists, a number is added.
        data_dir: the folder with MNIST's four files.
    """
    flags = dict(locals())
    test = mnist.load("test", data_dir).first(test_images)
    with tf.Graph().as_default(), tf.Session() as session:
        model = load_vae(session, vae_run)
        each_image = variational_inference.build_graph(len(test), seed=seed, decoder=model.decoder)  # slide 7
        run = Run(__file__, logdir, flags, parts=["test"])
        infer = each_batch(each_image.infer, len(test), [each_image.images, each_image.index])  # one step for all
        measured = gaps.measure(session, model, each_image, infer, test.images)
        for step, elbo in measured.elbo_by_step.items():
            run.write(step, test={"elbo": elbo})
        numbers = gaps.summarize(measured)
        print(gaps.describe(numbers, len(test), vae_run))
        pictures.draw(session, model, test, measured, run.folder / "pictures")
        return run.finish(data=test.describe(), test_images=len(test), **numbers)


if __name__ == "__main__":
    command_line.run(main)
