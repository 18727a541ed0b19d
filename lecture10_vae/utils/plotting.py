"""Pictures: functions from arrays to matplotlib figures, large and plain enough for a projector."""

from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from matplotlib.image import imsave

STYLE = {"font.size": 16, "axes.spines.top": False, "axes.spines.right": False, "lines.linewidth": 2.5}
DIGIT_COLORS = matplotlib.colormaps["tab10"]
INK = matplotlib.colormaps["gray_r"]  # ink on paper: black digits on white, so that a projector shows them


def save(figure: Figure, path: Path) -> None:
    """Writes the figure as PNG."""
    figure.savefig(path, dpi=120)


def results(rows: list[tuple[str, np.ndarray, np.ndarray]], labels: np.ndarray) -> Figure:
    """Slide 26: for each row its title, a scatter of codes [N, code_size] by label, and ten images [10, 28, 28]."""
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(16, 2.2 * len(rows) + 1.8))
        bottom, top = 1.2 / figure.get_figheight(), 1 - 0.6 / figure.get_figheight()
        grid = figure.add_gridspec(
            len(rows), 2, width_ratios=[1, 6], left=0.03, right=0.99, bottom=bottom, top=top, wspace=0.02, hspace=0.06
        )
        planes = [to_plane(codes, labels) for _, codes, _ in rows]
        limit = np.quantile(np.abs(planes[-1]), 0.998) * 1.05
        for row, ((title, _, images), plane) in enumerate(zip(rows, planes, strict=True)):
            axes = figure.add_subplot(grid[row, 0])
            points = axes.scatter(*plane.T, c=labels, cmap=DIGIT_COLORS, vmin=-0.5, vmax=9.5, s=3, linewidths=0)
            axes.set(ylabel=title, xlim=(-limit, limit), ylim=(-limit, limit), aspect="equal", xticks=[], yticks=[])
            axes.spines[:].set_visible(True)
            show_images(figure.add_subplot(grid[row, 1]), images, columns=10)
        figure.suptitle("The codes of the test images, and ten decoded samples of the prior")
        legend = figure.add_axes((0.03, bottom * 0.6, 0.96, bottom * 0.25))
        figure.colorbar(points, legend, orientation="horizontal", ticks=range(10), label="digit")
    return figure


def reconstructions(images: np.ndarray, decoded: np.ndarray) -> Figure:
    """Ten columns of digits, each image over its reconstruction; both are [10 * rows, 28, 28], a digit's together."""
    rows = len(images) // 10
    pairs = np.stack([images, decoded], axis=1).reshape(10, 2 * rows, 28, 28)
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(12, 2.5 * rows + 0.8), layout="constrained")
        axes = figure.add_subplot()
        show_images(axes, pairs.swapaxes(0, 1).reshape(-1, 28, 28), columns=10)
        axes.set_title("Test digits, each over its reconstruction")
        for row in range(1, rows):
            axes.axhline(row * 56 - 0.5, color="tab:blue")
    return figure


def manifold(images: np.ndarray, quantiles: np.ndarray) -> Figure:
    """The plane of codes, decoded: images [n * n, 28, 28], top row first, at the quantiles [n] of each dimension."""
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(12, 12.3), layout="constrained")
        axes = figure.add_subplot()
        show_images(axes, images, columns=len(quantiles))
        places = np.arange(0, len(quantiles), 3)
        axes.set_xticks(28 * places + 13.5, [f"{quantiles[place]:.1f}" for place in places])
        axes.set_yticks(28 * places + 13.5, [f"{quantiles[::-1][place]:.1f}" for place in places])
        axes.set(title="The decoded plane of codes, at the prior's quantiles", xlabel="$z_1$", ylabel="$z_2$")
    return figure


def show_images(axes: matplotlib.axes.Axes, images: np.ndarray, columns: int) -> None:
    """Shows images [N, 28, 28] side by side in rows of `columns`, without ticks."""
    axes.imshow(tile(images, columns), cmap=INK, vmin=0, vmax=1, interpolation="nearest")
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(False)


def tile(images: np.ndarray, columns: int) -> np.ndarray:
    """Images [N, height, width] as one image, [rows * height, columns * width]; the last row is filled up."""
    height, width = images.shape[1:]
    missing = -len(images) % columns
    images = np.concatenate([images, np.zeros((missing, height, width), images.dtype)])
    return images.reshape(-1, columns, height, width).swapaxes(1, 2).reshape(-1, columns * width)


def to_plane(codes: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Codes [N, code_size] as points [N, 2]: a line's by label, or those of many dimensions by principal components."""
    if codes.shape[1] == 1:
        return np.column_stack([codes, (labels - 4.5) / 4.5 * np.abs(codes).max()])
    if codes.shape[1] == 2:
        return codes
    centred = codes - codes.mean(axis=0)
    _, _, components = np.linalg.svd(centred, full_matrices=False)
    return centred @ components[:2].T


def write_projector(folder: Path, codes: np.ndarray, images: np.ndarray, labels: np.ndarray) -> None:
    """Files for TensorBoard's embedding projector, named by paths relative to `folder`, which can so be moved."""
    from tensorboard.plugins import projector  # here, since its import takes a while

    columns = int(np.ceil(np.sqrt(len(images))))
    imsave(folder / "digits.png", tile(images, columns), cmap=INK, vmin=0, vmax=1)
    missing = max(0, 3 - codes.shape[1])  # with fewer than three dimensions the projector shows nothing
    np.savetxt(folder / "codes.tsv", np.pad(codes, [(0, 0), (0, missing)]), fmt="%.5f", delimiter="\t")
    np.savetxt(folder / "labels.tsv", labels, fmt="%d")
    config = projector.ProjectorConfig()
    embedding = config.embeddings.add(tensor_name="codes", tensor_path="codes.tsv", metadata_path="labels.tsv")
    embedding.sprite.image_path = "digits.png"
    embedding.sprite.single_image_dim.extend(images.shape[1:])
    projector.visualize_embeddings(str(folder), config)
