"""Pictures: functions from arrays to matplotlib figures, large and plain enough for a projector."""

from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from lecture10_vae.utils.calibration import Reliability

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
        figure = Figure(figsize=(9, 9.3), layout="constrained")
        axes = figure.add_subplot()
        show_images(axes, images, columns=len(quantiles))
        places = np.arange(0, len(quantiles), 3)
        axes.set_xticks(28 * places + 13.5, [f"{quantiles[place]:.1f}" for place in places])
        axes.set_yticks(28 * places + 13.5, [f"{quantiles[::-1][place]:.1f}" for place in places])
        axes.set(title="The decoded plane of codes, at the prior's quantiles", xlabel="$z_1$", ylabel="$z_2$")
    return figure


def outputs(
    images: np.ndarray,
    labels: np.ndarray,
    values: np.ndarray,
    stddev: np.ndarray | None = None,
    draws: np.ndarray | None = None,
    *,
    name: str,
    title: str,
) -> Figure:
    """A dozen digits [12, 28, 28], each over ten numbers that a network gave it [12, 10], with error bars if known.

    The bar of the right digit, from labels [12], is green, and that of a wrong answer red. Where the numbers are means
    over draws [draws, 12, 10], each draw is a dot.
    """
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(16, 9), layout="constrained")
        grid = figure.add_gridspec(4, 6, height_ratios=[1, 1.6] * 2)
        for place, (image, label, value) in enumerate(zip(images, labels, values, strict=True)):
            row, column = divmod(place, 6)
            show_images(figure.add_subplot(grid[2 * row, column]), image[np.newaxis], columns=1)
            color = ["tab:red" if digit == value.argmax() else "tab:gray" for digit in range(10)]
            color[label] = "tab:green"
            axes = figure.add_subplot(grid[2 * row + 1, column], sharey=figure.axes[1] if place else None)
            errors = None if stddev is None else stddev[place]
            axes.bar(range(10), value, color=color, yerr=errors, error_kw={"capsize": 3, "elinewidth": 1.5})
            if draws is not None:
                aside = np.linspace(-0.3, 0.3, len(draws))[:, np.newaxis]
                axes.plot(aside + np.arange(10), draws[:, place], ".", color="black", markersize=3)
            axes.set(xticks=range(10), ylabel=name if column == 0 else "")
            axes.tick_params("x", labelsize=12)
            axes.get_xticklabels()[label].set(color="tab:green", weight="bold")  # its bar may be too low to see
            axes.tick_params("y", labelleft=column == 0)
        figure.suptitle(title)
    return figure


def reliability(predictors: dict[str, Reliability]) -> Figure:
    """Accuracy over confidence for each named predictor, and where its answers lie, on a logarithmic scale."""
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(10, 10), layout="constrained")
        upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
        upper.plot([0, 1], [0, 1], "--", color="gray", label="as sure as right")
        for name, found in predictors.items():
            upper.plot(found.confidence, found.accuracy, "o-", label=name)
            edges = np.linspace(0, 1, len(found.count) + 1)
            lower.stairs(found.count, edges, linewidth=2.5)
        upper.set(ylabel="accuracy", title="Is it as often right as it is sure?", xlim=(0, 1), ylim=(0, 1))
        upper.legend()
        lower.set(xlabel="confidence: the answer's probability", ylabel="test images", yscale="log")
    return figure


def confusion(answers: np.ndarray, labels: np.ndarray) -> Figure:
    """How often each digit [N] got each answer [N]; the shades are those of the mistakes."""
    counts = np.zeros((10, 10), int)
    np.add.at(counts, (labels, answers), 1)
    mistakes = np.where(np.eye(10), 0, counts)
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(10, 10), layout="constrained")
        axes = figure.add_subplot()
        axes.imshow(mistakes, cmap="Reds", vmax=1.5 * mistakes.max())
        for label, answer in np.ndindex(10, 10):
            color = "tab:green" if label == answer else "black"
            axes.text(answer, label, counts[label, answer] or "", ha="center", va="center", color=color)
        axes.set(xlabel="answer", ylabel="digit", xticks=range(10), yticks=range(10))
        axes.set_title(f"{mistakes.sum()} of {counts.sum():,} test images mistaken")
    return figure


def weights(mean: np.ndarray, stddev: np.ndarray) -> Figure:
    """The mean and the stddev of weights [784, 10], each as ten pictures, one for each class."""
    limit = np.quantile(np.abs(mean), 0.995)
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(16, 4.4), layout="constrained")
        axes = figure.subplots(2, 1, sharex=True)
        for axis, name, values, colors, least in zip(
            axes, ("mean", "stddev"), (mean, stddev), ("RdBu_r", "viridis"), (-limit, 0), strict=True
        ):
            most = limit if least else 1
            pictures = tile(values.T.reshape(10, 28, 28), columns=10)
            shown = axis.imshow(pictures, cmap=colors, vmin=least, vmax=most, interpolation="nearest")
            axis.set(yticks=[], ylabel=name)
            axis.spines[:].set_visible(False)
            for edge in range(28, 280, 28):
                axis.axvline(edge - 0.5, color="white", linewidth=3)
            figure.colorbar(shown, ax=axis, aspect=8, pad=0.01, extend="both" if least else "neither")
        axes[0].set_title("What each pixel says for a digit (red) or against it (blue), and how unsure that is")
        axes[0].tick_params("x", length=0)
        axes[1].set(xticks=28 * np.arange(10) + 13.5, xticklabels=range(10), xlabel="digit")
    return figure


PARTS = {"expected_entropy_nats": "left open by the data", "mutual_information_nats": "left open by the weights"}
PART_COLORS = ["#7fb2d9", "#ffb366"]


def rotation(turned: np.ndarray, degrees: list[float], bayesian: dict, point_estimate: dict) -> Figure:
    """Accuracy and entropies, lists over degrees by name for each predictor, over one digit so turned [A, 28, 28]."""
    half = (degrees[1] - degrees[0]) / 2
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(16, 11), layout="constrained")
        upper, lower, strip = figure.subplots(3, 1, sharex=True, height_ratios=[2, 3, 1])
        upper.plot(degrees, bayesian["accuracy"], "o-", label="Bayesian")
        upper.plot(degrees, point_estimate["accuracy"], "s--", color="black", label="point estimate")
        upper.set(ylabel="accuracy", ylim=(0, 1), title="Test digits, turned: is it less sure where it is less right?")
        upper.legend()
        values, labels = [bayesian[name] for name in PARTS], [f"Bayesian, {part}" for part in PARTS.values()]
        lower.stackplot(degrees, values, labels=labels, colors=PART_COLORS)
        lower.plot(degrees, point_estimate["entropy_nats"], "s--", color="black", label="point estimate")
        lower.axhline(np.log(10), color="gray", linestyle=":", label="no idea: ln 10")
        lower.set(ylabel="mean entropy, nats", ylim=(0, 2.5))
        lower.legend(ncols=2, loc="center right")
        extent = (degrees[0] - half, degrees[-1] + half, 0, 1)
        strip.imshow(tile(turned, len(turned)), cmap=INK, vmin=0, vmax=1, extent=extent, aspect="auto")
        strip.set(xlabel="degrees", xticks=degrees, yticks=[])
        strip.spines[:].set_visible(False)
    return figure


def unfamiliar(examples: dict[str, np.ndarray], bayesian: dict, point_estimate: dict) -> Figure:
    """Mean entropies of named sets of images for each predictor, over the first four of each set [N, 28, 28]."""
    places = np.arange(len(examples))
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(16, 9), layout="constrained")
        grid = figure.add_gridspec(2, len(examples), height_ratios=[4, 1])
        axes = figure.add_subplot(grid[0, :])
        below = np.zeros(len(examples))
        for (name, part), color in zip(PARTS.items(), PART_COLORS, strict=True):
            values = np.array([bayesian[images][name] for images in examples])
            axes.bar(places - 0.2, values, 0.36, below, color=color, label=f"Bayesian, {part}")
            below += values
        plain = [point_estimate[images]["entropy_nats"] for images in examples]
        axes.bar(places + 0.2, plain, 0.36, color="gray", label="point estimate")
        axes.axhline(np.log(10), color="gray", linestyle=":", label="no idea: ln 10")
        axes.set(xticks=places, xticklabels=examples, xlim=(-0.5, len(examples) - 0.5), ylabel="mean entropy, nats")
        axes.set(title="Is it less sure of what it was not trained on?", ylim=(0, 3))
        axes.legend(ncols=2, loc="upper center")
        for place, images in enumerate(examples.values()):
            apart = np.pad(images[:4], [(0, 0), (2, 2), (2, 2)])
            show_images(figure.add_subplot(grid[1, place]), apart, columns=4)
    return figure


def pruning(kept: list[float], **accuracy: list[float]) -> Figure:
    """Accuracy over the fraction of the weights kept, for each way to choose them: by_... or point_estimate_by_...."""
    signs = {
        "size": "|weight|",
        "mean": "|mean|",
        "effect": "|weight| x pixel's stddev",
        "signal_to_noise": "|mean| / stddev",
    }
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(12, 8), layout="constrained")
        axes = figure.add_subplot()
        for (name, values), style in zip(accuracy.items(), ("o-", "^-", "s--", "v:"), strict=True):
            predictor, _, sign = name.rpartition("by_")
            label = f"{'point estimate' if predictor else 'Bayesian'}, largest {signs[sign]}"
            axes.plot(kept, values, style, color="black" if predictor else None, label=label)
        axes.set(xscale="log", ylim=(0, 1), xlabel="weights kept; the others are set to zero", ylabel="accuracy")
        axes.set_xticks(kept, [f"{fraction:.0%}" for fraction in kept])
        axes.set_xticks([], minor=True)
        axes.set_title("Test accuracy: which weights can go?")
        axes.grid(alpha=0.3)
        axes.legend(loc="upper left", fontsize=14)
    return figure


def two_gaussians(mean: np.ndarray, stddev: np.ndarray, samples: np.ndarray) -> Figure:
    """A Gaussian of mean and stddev [10] beside a standard normal, in the two dimensions of its largest means.

    Samples [N, 10] of the former lie over both.
    """
    first, second = np.sort(np.argsort(np.abs(mean))[-2:])
    axis = np.linspace(-3.5, 3.5, 200)
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(9, 9), layout="constrained")
        axes = figure.add_subplot()
        for name, center, scale, color in [
            ("other", mean * 0, stddev * 0 + 1, "gray"),
            ("dist", mean, stddev, "tab:blue"),
        ]:
            x, y = ((axis - center[i]) / scale[i] for i in (first, second))
            # The lines that hold a half and nine tenths of the mass
            levels = np.sqrt(-2 * np.log(1 - np.array([0.5, 0.9])))
            axes.contour(axis, axis, np.hypot(x[np.newaxis, :], y[:, np.newaxis]), levels, colors=color)
            axes.plot([], color=color, label=f"{name}: half and nine tenths of its mass")
        axes.plot(samples[:, first], samples[:, second], ".", color="tab:orange", label="dist.sample()", zorder=1)
        axes.set(xlabel=f"output {first}", ylabel=f"output {second}", xlim=axis[[0, -1]], ylim=axis[[0, -1]])
        axes.legend(loc="upper left", fontsize=14)
    return figure


def monte_carlo(counts: np.ndarray, means: np.ndarray, errors: np.ndarray, exact: float) -> Figure:
    """Estimates [M] by number of samples [M] closing in on the exact value, with two standard errors [M] each way."""
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(11, 7), layout="constrained")
        axes = figure.add_subplot()
        axes.axhline(exact, color="black", label="kl_divergence(dist, other)")
        axes.fill_between(counts, means - 2 * errors, means + 2 * errors, alpha=0.3, label="two standard errors")
        axes.plot(counts, means, "o-", label="mean log ratio of samples")
        axes.set(xscale="log", xlabel="samples", ylabel="nats")
        axes.legend()
    return figure


def walk(codes: np.ndarray, log_joint: np.ndarray, ellipses: list[tuple], best: tuple) -> Figure:
    """A posterior's contours, from ln P(x,z) [points * points] on a grid of codes, and Gaussians that walk to it.

    Args:
        ellipses: title, mean [2] and covariance [2, 2] for each step.
        best: mean and covariance of the best that the walk could reach.
    """
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(11, 11), layout="constrained")
        axes = figure.add_subplot()
        posterior_contours(axes, codes, log_joint)
        colors = matplotlib.colormaps["plasma"](np.linspace(0, 0.85, len(ellipses)))
        for color, (title, mean, covariance) in zip(colors, ellipses, strict=True):
            axes.plot(*ellipse(mean, covariance), color=color, label=title)
        axes.plot(*ellipse(*best), "--", color="black", label="family's best")
        axes.plot(*zip(*[mean for _, mean, _ in ellipses], strict=True), "o-", color="gray", markersize=4, linewidth=1)
        axes.set(xlim=(-3, 3), ylim=(-3, 3), xlabel="$z_1$", ylabel="$z_2$")
        axes.set_title("Q(z) walks to P(z|x): the ellipses hold half the mass")
        axes.legend(loc="upper right", fontsize=13)
    return figure


def posterior_contours(axes: matplotlib.axes.Axes, codes: np.ndarray, log_joint: np.ndarray) -> None:
    """Fills the regions that hold 50, 90 and 99 percent of the posterior's mass; arguments as for `walk`."""
    points = round(np.sqrt(len(codes)))
    mass = np.exp(log_joint - log_joint.max())
    ordered = np.sort(mass)[::-1]
    share = np.cumsum(ordered) / ordered.sum()
    levels = [ordered[np.searchsorted(share, held)] for held in (0.99, 0.9, 0.5)]
    grid = [values.reshape(points, points) for values in (codes[:, 0], codes[:, 1], mass)]
    axes.contourf(*grid, levels=[*levels, 1.01], colors=["#d9ead3", "#a3cf95", "#5ea64f"])


def ellipse(mean: np.ndarray, covariance: np.ndarray) -> np.ndarray:
    """The line [2, 100] that holds half of a Gaussian's mass."""
    angle = np.linspace(0, 2 * np.pi, 100)
    circle = np.sqrt(2 * np.log(2)) * np.stack([np.cos(angle), np.sin(angle)])
    return np.asarray(mean)[:, np.newaxis] + np.linalg.cholesky(covariance) @ circle


def inference(steps: list[int], bounds: list[float], levels: dict[str, float]) -> Figure:
    """Bounds by number of steps, beside levels that take none."""
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(11, 7), layout="constrained")
        axes = figure.add_subplot()
        for (name, level), color in zip(levels.items(), ("black", "tab:orange", "tab:blue"), strict=True):
            axes.axhline(level, color=color, label=name)
        axes.plot(
            steps, bounds, "o-", color="tab:orange", linewidth=1.5, label="a Gaussian for each image, from the prior on"
        )
        axes.set_xscale("symlog", linthresh=1)
        axes.set_xticks(steps, [str(step) for step in steps], rotation=45)
        axes.minorticks_off()
        low = min(levels.values())
        axes.set(xlabel="gradient steps on each image", ylabel="nats")
        axes.set(xlim=(0, None), ylim=(low - 45, max(levels.values()) + 3))
        axes.legend(loc="center left")
    return figure


def posteriors(panels: list[tuple]) -> Figure:
    """Exact posteriors of up to eight images with Gaussians over them.

    Args:
        panels: image [28, 28], codes and ln P(x,z) as for `walk`, and Gaussians: name to mean [2] and stddev [2].
    """
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(16, 8.6), layout="constrained")
        grid = figure.subplots(2, 4).flat
        for unused in grid[len(panels) :]:
            unused.remove()
        for axes, (image, codes, log_joint, gaussians) in zip(grid, panels, strict=False):
            posterior_contours(axes, codes, log_joint)
            for (name, (mean, stddev)), color in zip(gaussians.items(), ("tab:orange", "tab:blue"), strict=True):
                axes.plot(*ellipse(mean, np.diag(stddev**2)), color=color, label=name)
            axes.locator_params(nbins=3)
            inset = axes.inset_axes((0.72, 0.72, 0.28, 0.28))
            show_images(inset, image[np.newaxis], columns=1)
        figure.suptitle("The exact posterior P(z|x), green, and two Gaussians Q(z): the lines hold half their mass")
        figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return figure


def bound(steps: list[int], bounds: list[float], evidence: float) -> Figure:
    """A lower bound by step, and the gap to ln P(x), which is constant."""
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(11, 7), layout="constrained")
        axes = figure.add_subplot()
        axes.axhline(evidence, color="black", label="ln P(x)")
        axes.fill_between(steps, bounds, evidence, alpha=0.25, color="tab:orange", label="the gap: KL[Q(z) || P(z|x)]")
        axes.plot(steps, bounds, "o-", label="the bound")
        axes.set_xscale("symlog", linthresh=1)
        axes.set(xlabel="steps of gradient ascent", ylabel="nats", xticks=steps, xlim=(0, None))
        axes.set_xticks(steps, [str(step) for step in steps], rotation=45)
        axes.minorticks_off()
        axes.legend(loc="lower right")
    return figure


def decoder(codes: np.ndarray, decoded: np.ndarray, observation: np.ndarray) -> Figure:
    """Slide 4: an even grid of codes [points * points, 2], and where a decoder sends it."""
    points = round(np.sqrt(len(codes)))
    color = matplotlib.colormaps["viridis"](np.linspace(0, 1, points))
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(16, 8), layout="constrained")
        for axes, places, name in zip(figure.subplots(1, 2), (codes, decoded), ("z", "x"), strict=True):
            grid = places.reshape(points, points, 2)
            for line in range(0, points, 2):
                axes.plot(*grid[line].T, color=color[line], linewidth=2)
                axes.plot(*grid[:, line].T, color="gray", linewidth=1)
            axes.set(xlabel=f"${name}_1$", ylabel=f"${name}_2$")
        figure.axes[0].set_title("codes")
        axes.set_title("where the decoder sends them")
        axes.plot(*observation, "r*", markersize=22, label="the observation x")
        axes.legend(loc="lower center")
    return figure


def pictures(images: np.ndarray, columns: int = 10) -> Figure:
    """Images [N, 28, 28] side by side, in rows of `columns` or fewer: what a notebook shows in passing."""
    columns = min(columns, len(images))
    figure = Figure(figsize=(1.6 * columns, 1.6 * -(-len(images) // columns)), layout="constrained")
    show_images(figure.add_subplot(), images, columns)
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


def write_projector(folder: Path, codes: np.ndarray, pixels: np.ndarray, labels: np.ndarray) -> None:
    """Files for TensorBoard's embedding projector, named by paths relative to `folder`, which can so be moved.

    Args:
        pixels: the images, uint8 [N, 28, 28], to show in the places of the points.
    """
    from tensorboard.plugins import projector  # here, since its import takes a while

    columns = int(np.ceil(np.sqrt(len(pixels))))
    Image.fromarray(255 - tile(pixels, columns)).save(folder / "digits.png")
    missing = max(0, 3 - codes.shape[1])  # with fewer than three dimensions the projector shows nothing
    np.savetxt(folder / "codes.tsv", np.pad(codes, [(0, 0), (0, missing)]), fmt="%.5f", delimiter="\t")
    np.savetxt(folder / "labels.tsv", labels, fmt="%d")
    config = projector.ProjectorConfig()
    embedding = config.embeddings.add(tensor_name="codes", tensor_path="codes.tsv", metadata_path="labels.tsv")
    embedding.sprite.image_path = "digits.png"
    embedding.sprite.single_image_dim.extend(pixels.shape[1:])
    projector.visualize_embeddings(str(folder), config)
