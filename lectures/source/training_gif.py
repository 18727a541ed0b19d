"""Makes figures/vae_training.gif: a row of slide 26 for each epoch, one after the other.

python -m lectures.source.training_gif     # trains the VAE in passing, half a minute on two cores
"""

import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image, ImageColor

from lecture10_vae import vae
from lecture10_vae.studies.training import train_epochs
from lecture10_vae.tf1 import tf
from lecture10_vae.utils import command_line, mnist, plotting

FIGURE = Path(__file__).resolve().parents[1] / "figures" / "vae_training.gif"
MILLISECONDS = 600  # a frame; the first and the last stay for three times as long
IMAGES = 5_000  # of the test set: with all of them the file would come near 500 kB
INCHES = 6.6  # 792 pixels
GRAYS = 26  # beside the digits' colours, in the palette of all frames


def make() -> None:
    """Trains the VAE of vae.py as it does, and writes the GIF."""
    test = mnist.load("test").first(IMAGES)
    rows = list(train_and_look(mnist.load("train"), test))
    everywhere = np.concatenate([codes for _, codes, _ in rows])
    low, high = everywhere.min(axis=0), everywhere.max(axis=0)
    reach = 0.52 * (high - low).max()  # a square that holds all codes of all epochs
    limits = np.add.outer((low + high) / 2, [-reach, reach])
    save([draw_frame(*row, test.labels, limits) for row in rows], FIGURE)


def train_and_look(
    train: mnist.Dataset, test: mnist.Dataset, epochs: int = 15, seed: int = 0
) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    """Yields each epoch from 0 on, the codes of the test images [N, 2], and ten decoded codes [10, 28, 28].

    The ten are drawn from the prior once, so that each frame shows what has become of the one before.
    """
    ten_codes = np.random.default_rng(seed).normal(size=(10, 2))
    with tf.Graph().as_default(), tf.Session() as session:
        model = vae.build_graph(seed=seed)
        decoded = model.dist.mean()

        def look():
            return session.run(model.mean, {model.images: test.images}), session.run(decoded, {model.code: ten_codes})

        session.run(tf.global_variables_initializer())
        yield 0, *look()
        for epoch in train_epochs(session, model.optimize, train, epochs, model.images, seed=seed):
            yield epoch, *look()


def draw_frame(
    epoch: int, codes: np.ndarray, samples: np.ndarray, labels: np.ndarray, limits: np.ndarray
) -> Image.Image:
    """Codes [N, 2] by label beside ten decoded [10, 28, 28]; the limits of the plane [2, 2] are those of all frames."""
    with plotting.new_picture(INCHES, INCHES * 9 / 16, layout=None) as picture:
        plane = picture.add_axes((0.07, 0.12, 0.4725, 0.84))
        plane.set(xlim=limits[0], ylim=limits[1], xlabel="z₁", ylabel="z₂")
        plane.xaxis.labelpad = plane.yaxis.labelpad = 0
        plane.locator_params(nbins=5, integer=True)
        plotting.scatter_digits(plane, codes, labels, size=1.7)
        side = picture.add_axes((0.6, 0.02, 0.36, 0.84))
        plotting.show_images(side, samples, columns=2)
        picture.text(0.78, 0.9, f"Epoch {epoch}", fontsize="x-large", ha="center")
    buffer = io.BytesIO()
    plotting.save(picture, buffer)
    return Image.open(buffer).convert("RGB")


def save(frames: list[Image.Image], path: Path) -> None:
    """Writes frames as a GIF that runs for ever."""
    grays = np.linspace(0, 255, GRAYS).round().astype(np.uint8)
    colors = [ImageColor.getrgb(color) for color in plotting.DIGIT_COLORS] + [(gray,) * 3 for gray in grays]
    palette = Image.new("P", (1, 1))
    palette.putpalette(np.array(colors, np.uint8).tobytes())
    frames = [frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in frames]
    durations = [3 * MILLISECONDS, *[MILLISECONDS] * (len(frames) - 2), 3 * MILLISECONDS]
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=durations, loop=0, optimize=True)


if __name__ == "__main__":
    command_line.run(make)
