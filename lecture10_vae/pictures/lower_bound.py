"""lower_bound.py's pictures: a decoder's plane, the walk of Q(z) to the posterior, and the bound under ln P(x)."""

from types import SimpleNamespace

import numpy as np

from lecture10_vae.tf1 import tf
from lecture10_vae.utils import plotting
from lecture10_vae.utils.run import Run


def draw(
    session: tf.Session, model: SimpleNamespace, run: Run, codes: np.ndarray, log_joint: np.ndarray, records, best
) -> None:
    """walk.png, bound.png and decoder.png.

    Args:
        codes, log_joint: a grid [N, 2] and ln P(x,z) on it [N], in nats.
        records: step to what was measured then.
        best: bound, mean and covariance of the best Q there is.
    """
    ellipses = [(f"step {step}", record["mean"], record["covariance"]) for step, record in records.items()]
    plotting.save(draw_walk(codes, log_joint, ellipses, (best.mean, best.covariance)), run.pictures_dir / "walk.png")
    bounds = [record["bound"] for record in records.values()]
    plotting.save(draw_bound(list(records), bounds, records[0]["evidence"]), run.pictures_dir / "bound.png")
    lines = np.stack(np.meshgrid(*[np.linspace(-3, 3, 31)] * 2, indexing="ij"), axis=-1).reshape(-1, 2)
    decoded, observation = session.run([model.dist.mean(), model.observation], {model.code: lines})
    plotting.save(draw_decoder(lines, decoded, observation), run.pictures_dir / "decoder.png")


def draw_walk(codes: np.ndarray, log_joint: np.ndarray, ellipses: list[tuple], best: tuple):
    """A posterior's contours, from ln P(x,z) [points * points] on a grid of codes, and Gaussians that walk to it.

    Args:
        ellipses: title, mean [2] and covariance [2, 2] for each step.
        best: mean and covariance of the best that the walk could reach.
    """
    with plotting.new_picture(11, 11) as picture:
        axes = picture.add_subplot()
        plotting.fill_posterior(axes, codes, log_joint)
        colors = plotting.colors("plasma", np.linspace(0, 0.85, len(ellipses)))
        for color, (title, mean, covariance) in zip(colors, ellipses, strict=True):
            axes.plot(*plotting.half_mass_ellipse(mean, covariance), color=color, label=title)
        axes.plot(*plotting.half_mass_ellipse(*best), "--", color="black", label="family's best")
        axes.plot(*zip(*[mean for _, mean, _ in ellipses], strict=True), "o-", color="gray", markersize=4, linewidth=1)
        axes.set(xlim=(-3, 3), ylim=(-3, 3), xlabel="$z_1$", ylabel="$z_2$")
        axes.set_title("Q(z) walks to P(z|x): the ellipses hold half the mass")
        axes.legend(loc="upper right", fontsize=13)
    return picture


def draw_bound(steps: list[int], bounds: list[float], evidence: float):
    """A lower bound by step, and the gap to ln P(x), which is constant."""
    with plotting.new_picture(11, 7) as picture:
        axes = picture.add_subplot()
        axes.axhline(evidence, color="black", label="ln P(x)")
        axes.fill_between(steps, bounds, evidence, alpha=0.25, color="tab:orange", label="the gap: KL[Q(z) || P(z|x)]")
        axes.plot(steps, bounds, "o-", label="the bound")
        axes.set_xscale("symlog", linthresh=1)
        axes.set(xlabel="steps of gradient ascent", ylabel="nats", xticks=steps, xlim=(0, None))
        axes.set_xticks(steps, [str(step) for step in steps], rotation=45)
        axes.minorticks_off()
        axes.legend(loc="lower right")
    return picture


def draw_decoder(codes: np.ndarray, decoded: np.ndarray, observation: np.ndarray):
    """Slide 4: an even grid of codes [points * points, 2], and where a decoder sends it."""
    points = round(np.sqrt(len(codes)))
    color = plotting.colors("viridis", np.linspace(0, 1, points))
    with plotting.new_picture(16, 8) as picture:
        for axes, places, name in zip(picture.subplots(1, 2), (codes, decoded), ("z", "x"), strict=True):
            grid = places.reshape(points, points, 2)
            for line in range(0, points, 2):
                axes.plot(*grid[line].T, color=color[line], linewidth=2)
                axes.plot(*grid[:, line].T, color="gray", linewidth=1)
            axes.set(xlabel=f"${name}_1$", ylabel=f"${name}_2$")
        picture.axes[0].set_title("codes")
        axes.set_title("where the decoder sends them")
        axes.plot(*observation, "r*", markersize=22, label="the observation x")
        axes.legend(loc="lower center")
    return picture
