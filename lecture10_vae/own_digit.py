"""A digit of your own, drawn, scanned or photographed, through a trained VAE.

    .venv/bin/python lecture10_vae/vae.py                        # the VAE, first
    .venv/bin/python lecture10_vae/own_digit.py --picture seven.jpg

It prints the digit's code and bound, and draws three pictures side by side: yours, what was read of it, with which the
VAE is fed, and the reconstruction. Look at the second before you trust the third.
"""

from pathlib import Path

from lecture10_vae import vae
from lecture10_vae.tf1 import tf
from lecture10_vae.utils import command_line, own_digits, plotting
from lecture10_vae.utils.run import Run, read_flags, restore

from scipy.special import expit


def main(
    picture: Path = Path("digit.png"),
    vae_run: Path = Path("runs/vae"),
    seed: int = 0,
    logdir: Path = Path("runs/own_digit"),
) -> dict:
    """Encodes and decodes a digit in a picture file by the VAE of vae.py.

    Args:
        picture: the file, with one digit, dark on light or light on dark, and some paper around it.
        vae_run: the folder of a run of vae.py.
        seed: of the codes whose bound is averaged.
        logdir: the run's folder; where it exists, a number is added.
    """
    flags = dict(locals())
    image = own_digits.read_digit(picture)  # [1, 28, 28]
    of_vae = read_flags(vae_run)
    with tf.Graph().as_default(), tf.Session() as session:
        model = vae.build_graph(of_vae.get("code_size", 2), of_vae.get("hidden_size", 100), seed=seed)
        restore(session, vae_run)
        run = Run(__file__, logdir, flags, parts=("test",))
        mean, logit = session.run([model.mean, model.dist.distribution.logits], {model.images: image})
        elbo = vae.evaluate(session, model, image.repeat(1_000, axis=0))["elbo"]  # by a code each
        print(
            f"Its code is {mean[0].round(2)}; its bound is {elbo:.1f} nats. MNIST's test images have -158, with a "
            "standard deviation of 48 between images: the less ink, the higher."
        )
        with plotting.new_picture(9, 3.4) as drawn:
            pictures = {"yours": own_digits.read_grey(picture), "as read": image[0], "reconstruction": expit(logit[0])}
            for place, (title, shown) in enumerate(pictures.items(), 1):
                axes = drawn.add_subplot(1, 3, place, title=title)
                axes.set_axis_off()
                axes.imshow(shown, "gray" if title == "yours" else "gray_r", vmin=0, vmax=1)
        plotting.save(drawn, run.folder / "pictures" / "digit.png")
        return run.finish(mean=mean[0].tolist(), elbo=elbo)


if __name__ == "__main__":
    command_line.run(main)
