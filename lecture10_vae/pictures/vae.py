"""vae.py's pictures: slide 26, the plane of codes, reconstructions, and what TensorBoard shows."""

from pathlib import Path
from types import SimpleNamespace

from lecture10_vae.tf1 import tf
from lecture10_vae.utils import plotting
from lecture10_vae.utils.mnist import Dataset

import numpy as np
from scipy.special import expit, ndtri

AXES = {1: ("z", "digit, 0 to 9"), 2: ("z₁", "z₂"), "more": ("1st component", "2nd component")}  # of codes of that size


def summarize(model: SimpleNamespace) -> tf.Tensor:
    """For TensorBoard: histograms of the codes of the images fed, and pictures of samples and reconstructions."""
    with tf.name_scope("summary"):
        pairs = tf.concat([model.images[:10], model.dist.mean()[:10]], axis=1)  # each image over its reconstruction
        return tf.summary.merge(
            [
                tf.summary.histogram("code_mean", model.mean),
                tf.summary.histogram("code_stddev", model.stddev),
                tf.summary.image("samples", side_by_side(model.samples), max_outputs=1),
                tf.summary.image("reconstructions", side_by_side(pairs), max_outputs=1),
            ]
        )


def side_by_side(images: tf.Tensor) -> tf.Tensor:
    """Images [N, height, width] as a picture for TensorBoard, [1, height, N * width, 1]."""
    picture = tf.reshape(tf.transpose(images, [1, 0, 2]), [1, images.shape[1], -1, 1])
    return tf.image.convert_image_dtype(picture, tf.uint8)  # floats it would stretch, so that the largest is white


def epochs_of_slide_26(epochs: int) -> list[int]:
    """Its rows 0, 1, 5, 10 and 15, where training takes 15 epochs."""
    return sorted({0, 1, round(epochs / 3), round(2 * epochs / 3), epochs})


def draw(
    session: tf.Session, model: SimpleNamespace, snapshots: dict[int, list[np.ndarray]], test: Dataset, run_folder: Path
) -> None:
    """Slide 26's results.png, reconstructions.png, for codes of two dimensions manifold.png; and the projector.

    Args:
        snapshots: by epoch, the codes of the test images [N, code_size] and ten samples [10, 28, 28].
    """
    folder = run_folder / "pictures"
    rows = [(f"Epoch {epoch}", *snapshot) for epoch, snapshot in snapshots.items()]
    plotting.save(draw_results(rows, test.labels, test.name), folder / "results.png")

    logit = model.dist.distribution.logits
    some = {digit: np.flatnonzero(test.labels == digit)[:4] for digit in np.unique(test.labels)}
    each = min(map(len, some.values()))  # four, but for data of one's own with fewer
    chosen = np.concatenate([indices[:each] for indices in some.values()])
    images = test.take(chosen).images
    decoded = expit(session.run(logit, {model.images: images}))
    picture = draw_reconstructions(images, decoded, columns=len(some), name=test.name)
    plotting.save(picture, folder / "reconstructions.png")
    codes = session.run(model.mean, {model.images: test.images})
    if codes.shape[1] == 2:
        quantiles = ndtri((np.arange(20) + 0.5) / 20)  # equal shares of the prior in each dimension
        plane = np.stack(np.meshgrid(quantiles, quantiles[::-1]), axis=-1).reshape(-1, 2)
        decoded = expit(session.run(logit, {model.code: plane}))
        plotting.save(draw_manifold(decoded, quantiles), folder / "manifold.png")
    write_projector(run_folder / "test", codes, test.pixels, test.labels)


def draw_results(rows: list[tuple[str, np.ndarray, np.ndarray]], labels: np.ndarray, name: str = "MNIST"):
    """Slide 26, its rows as columns, so that the codes get a third of the height.

    Args:
        rows: for each its title, codes [N, code_size], and ten images [10, 28, 28].
        labels: of the codes, [N].
    """
    planes = [to_plane(codes, labels) for _, codes, _ in rows]
    code_size = rows[0][1].shape[1]
    xlabel, ylabel = AXES.get(code_size, AXES["more"])
    low, high = np.min(planes, axis=(0, 1)), np.max(planes, axis=(0, 1))
    reach = 0.52 * (high - low).max()  # a square that holds all codes of all rows
    xlim, ylim = np.add.outer((low + high) / 2, [-reach, reach])
    with plotting.new_picture(*plotting.SCREEN, layout=None) as picture:
        edges = {"left": 0.065, "right": 0.995, "bottom": 0.01, "top": 0.865}
        grid = picture.add_gridspec(2, len(rows), height_ratios=[1, 1.25], wspace=0.04, hspace=0.24, **edges)
        for column, ((title, _, images), plane) in enumerate(zip(rows, planes, strict=True)):
            axes = picture.add_subplot(grid[0, column])
            axes.set(title=title, xlim=xlim, ylim=ylim, aspect="equal", xlabel=xlabel)
            axes.locator_params(nbins=4, integer=True)
            axes.tick_params(labelsize="small", labelleft=column == 0)
            axes.spines[:].set_visible(True)
            if code_size == 1:  # no numbers, as the digit is stretched to the code's size
                axes.set_yticks([])
            plotting.scatter_digits(axes, plane, labels)
            plotting.show_images(picture.add_subplot(grid[1, column]), images, columns=2)
        picture.axes[0].set_ylabel(ylabel, labelpad=0)
        picture.suptitle(f"The codes of {len(labels):,} test images of {name}; below, decoded samples of the prior")
    return picture


def draw_reconstructions(images: np.ndarray, decoded: np.ndarray, columns: int = 10, name: str = "MNIST"):
    """A column of each class, each image over its reconstruction: both [columns * rows, 28, 28], a class together."""
    rows = len(images) // columns
    pairs = np.stack([images, decoded], axis=1).reshape(columns, 2 * rows, 28, 28)
    with plotting.new_picture(max(1.05 * columns, 10.5), 2.1 * rows + 0.6) as picture:
        axes = picture.add_subplot()
        plotting.show_images(axes, pairs.swapaxes(0, 1).reshape(-1, 28, 28), columns=columns)
        axes.set_title(f"Test images of {name}, each over its reconstruction")
        for row in range(1, rows):
            axes.axhline(row * 56 - 0.5, color=plotting.BLUE)
    return picture


def draw_manifold(images: np.ndarray, quantiles: np.ndarray):
    """The plane of codes, decoded: images [n * n, 28, 28], top row first, at the quantiles [n] of each dimension."""
    with plotting.new_picture(9, 9) as picture:
        axes = picture.add_subplot()
        plotting.show_images(axes, images, columns=len(quantiles))
        places = np.arange(0, len(quantiles), 3)
        axes.set_xticks(28 * places + 13.5, [f"{quantiles[place]:.1f}" for place in places])
        axes.set_yticks(28 * places + 13.5, [f"{quantiles[::-1][place]:.1f}" for place in places])
        axes.set(title="The plane decoded, at the prior's quantiles", xlabel="z₁", ylabel="z₂")
    return picture


def to_plane(codes: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Codes [N, code_size] as points [N, 2]: a line's by label, or those of many dimensions by principal components."""
    if codes.shape[1] == 1:
        return np.column_stack([codes, (labels - 4.5) / 4.5 * np.abs(codes).max()])
    if codes.shape[1] == 2:
        return codes
    centred = codes - codes.mean(axis=0)
    _, _, components = np.linalg.svd(centred, full_matrices=False)
    return centred @ components[:2].T


def write_projector(folder: Path, codes: np.ndarray, pixels: np.ndarray, labels: np.ndarray) -> None:
    """Files for TensorBoard's embedding projector, named by paths relative to `folder`, which can so be moved.

    Args:
        pixels: the images, uint8 [N, 28, 28], to show in the places of the points.
    """
    from PIL import Image
    from tensorboard.plugins import projector  # here, since both take a while to load

    columns = int(np.ceil(np.sqrt(len(pixels))))
    Image.fromarray(255 - plotting.tile(pixels, columns)).save(folder / "digits.png", compress_level=1)
    missing = max(0, 3 - codes.shape[1])  # with fewer than three dimensions the projector shows nothing
    np.savetxt(folder / "codes.tsv", np.pad(codes, [(0, 0), (0, missing)]), fmt="%.5f", delimiter="\t")
    np.savetxt(folder / "labels.tsv", labels, fmt="%d")
    config = projector.ProjectorConfig()
    embedding = config.embeddings.add(tensor_name="codes", tensor_path="codes.tsv", metadata_path="labels.tsv")
    embedding.sprite.image_path = "digits.png"
    embedding.sprite.single_image_dim.extend(pixels.shape[1:])
    (folder / "projector_config.pbtxt").write_text(str(config), encoding="utf-8")
