"""lower_bound.py's pictures: a decoder's plane, the walk of Q(z) to the posterior, and the bound under ln P(x)."""

from pathlib import Path
from types import SimpleNamespace

from lecture10_vae.studies.bound_on_grid import Best
from lecture10_vae.tf1 import tf
from lecture10_vae.utils import plotting

import numpy as np


def draw(
    session: tf.Session,
    model: SimpleNamespace,
    codes: np.ndarray,
    log_joint: np.ndarray,
    records: dict[int, dict],
    best: Best,
    folder: Path,
) -> None:
    """walk.png, bound.png and decoder.png.

    Args:
        codes, log_joint: a grid [N, 2] and ln P(x,z) on it [N], in nats.
        records: step to what was measured then.
        best: bound, mean and covariance of the best Q there is.
    """
    ellipses = [(f"step {step}", record["mean"], record["covariance"]) for step, record in records.items()]
    plotting.save(draw_walk(codes, log_joint, ellipses, (best.mean, best.covariance)), folder / "walk.png")
    bounds = [record["bound"] for record in records.values()]
    picture = draw_bound(list(records), bounds, records[0]["evidence"], best.bound)
    plotting.save(picture, folder / "bound.png")
    plotting.save(draw_the_models_decoder(session, model, codes, log_joint), folder / "decoder.png")


def draw_the_models_decoder(
    session: tf.Session, model: SimpleNamespace, codes: np.ndarray, log_joint: np.ndarray, shaded: bool = True
):
    """`draw_decoder` with what the model computes; a grid of codes [N, 2] and ln P(x,z) on it [N], in nats.

    Args:
        shaded: whether to show the posterior; without it, a student can sketch it first.
    """
    lines = np.stack(np.meshgrid(*[np.linspace(-3, 3, 31)] * 2, indexing="ij"), axis=-1).reshape(-1, 2)
    decoded, observation = session.run([model.dist.mean(), model.observation], {model.code: lines})
    likely = likely_codes(codes, log_joint)
    mean, stddev = session.run([model.dist.mean(), model.dist.stddev()], {model.code: likely})
    covariances = [np.diag(noise**2) for noise in np.broadcast_to(stddev, mean.shape)]
    posterior = (codes, log_joint) if shaded else None
    return draw_decoder(lines, decoded, observation, posterior, (likely, mean, covariances))


def likely_codes(codes: np.ndarray, log_joint: np.ndarray) -> np.ndarray:
    """Three codes [3, 2] of a grid that may have made the observation: for three of z_1, the most probable z_2 each.

    The three of z_1 are the quantiles 5, 50 and 95 percent of the posterior.
    """
    points = round(np.sqrt(len(codes)))
    mass = np.exp(log_joint - log_joint.max()).reshape(points, points)
    share = np.cumsum(mass.sum(axis=1)) / mass.sum()
    rows = np.searchsorted(share, [0.05, 0.5, 0.95])
    return codes.reshape(points, points, 2)[rows, mass[rows].argmax(axis=1)]


def draw_walk(codes: np.ndarray, log_joint: np.ndarray, ellipses: list[tuple], best: tuple):
    """A posterior's contours, from ln P(x,z) [points * points] on a grid of codes, and Gaussians that walk to it.

    Args:
        ellipses: title, mean [2] and covariance [2, 2] for each step.
        best: mean and covariance of the best that the walk could reach.
    """
    with plotting.new_picture(*plotting.SCREEN) as picture:
        axes = picture.add_subplot(aspect="equal")
        plotting.fill_posterior(axes, codes, log_joint)
        colors = plotting.colors("plasma", np.linspace(0, 0.8, len(ellipses)))
        for color, (title, mean, covariance) in zip(colors, ellipses, strict=True):
            axes.plot(*plotting.half_mass_ellipse(mean, covariance), color=color, label=title)
        axes.plot(*plotting.half_mass_ellipse(*best), "--", color="black", label="its family's best")
        means = [mean for _, mean, _ in ellipses]
        axes.plot(*zip(*means, strict=True), "o-", color=plotting.GRAY, markersize=5, linewidth=1, label="Q(z)'s mean")
        axes.set(xlim=(-3, 3), ylim=(-3, 3), xlabel="z₁", ylabel="z₂")
        axes.set_title("Q(z) on its way to P(z|x)")
        handles, labels = axes.get_legend_handles_labels()
        handles += plotting.posterior_signs()
        labels += [f"P(z|x): {held} % of its mass" for held in (50, 90, 99)]
        title = "Q(z): lines around half its mass"
        picture.legend(
            handles, labels, title=title, loc="outside right center", frameon=False, labelspacing=0.3, alignment="left"
        )
    return picture


def draw_bound(steps: list[int], bounds: list[float], evidence: float, best: float | None = None):
    """A lower bound by step, and the gap to ln P(x), which is constant; the end once more, larger.

    Args:
        best: the highest bound of Q's family, if known.
    """
    with plotting.new_picture(*plotting.SCREEN) as picture:
        axes = picture.add_subplot()
        inset = axes.inset_axes((0.66, 0.17, 0.25, 0.48))
        for panel in (axes, inset):
            panel.axhline(evidence, color=plotting.EXACT, label="ln P(x)")
            area = {"facecolor": plotting.LIGHT_ORANGE, "edgecolor": plotting.ORANGE, "hatch": "/"}
            panel.fill_between(steps, bounds, evidence, label="the gap: KL[Q(z) || P(z|x)]", linewidth=0, **area)
            panel.plot(steps, bounds, "o-", color=plotting.BLUE, label="the bound")
            panel.set_xscale("symlog", linthresh=1)
            panel.minorticks_off()
        axes.set(xlabel="steps of gradient ascent", ylabel="nats", xlim=(0, None))
        axes.set_xticks(steps, [str(step) for step in steps], rotation=45)
        if best is not None:
            inset.axhline(best, color=plotting.EXACT, linestyle="dashed", label="its family's best")
        zoom_on_end(inset, steps, bounds, evidence)
        axes.set_title(f"At step {steps[-1]} the bound is {evidence - bounds[-1]:.2f} nats below ln P(x)")
        handles, labels = inset.get_legend_handles_labels()
        picture.legend(handles, labels, loc="outside lower center", ncols=len(labels), frameon=False, columnspacing=1)
    return picture


def zoom_on_end(inset, steps: list[int], bounds: list[float], evidence: float) -> None:
    """Shows the last three steps alone, with some room to ln P(x)."""
    last = steps[-3:]
    height = max(evidence - min(bounds[-2:]), 1e-3)
    inset.set(xlim=(last[0] * 0.9, last[-1] * 1.15 + 0.1), ylim=(evidence - 2 * height, evidence + height / 3))
    inset.set_xticks(last, [str(step) for step in last])
    inset.locator_params(axis="y", nbins=5)
    inset.yaxis.tick_right()
    inset.spines[:].set_visible(True)
    inset.set_title("the end, larger", fontsize="medium")


def draw_decoder(
    codes: np.ndarray, decoded: np.ndarray, observation: np.ndarray, posterior: tuple | None, likely: tuple
):
    """Slide 4: an even grid of codes [points * points, 2], where a decoder sends it, and with how much noise.

    Args:
        posterior: codes and ln P(x,z) as for `plotting.fill_posterior`; or None, to leave it out.
        likely: codes [K, 2] that may have made the observation, mean [K, 2] and covariance [K, 2, 2] of P(x|z).
    """
    points = round(np.sqrt(len(codes)))
    with plotting.new_picture(*plotting.SCREEN) as picture:
        for axes, places, name in zip(picture.subplots(1, 2), (codes, decoded), ("z", "x"), strict=True):
            grid = places.reshape(points, points, 2)
            for line in range(0, points, 3):
                axes.plot(*grid[line].T, color="#c0c0c0", linewidth=2)
                axes.plot(*grid[:, line].T, color="#c0c0c0", linewidth=1)
            axes.set(xlabel=f"{name}₁", ylabel=f"{name}₂")
        left, right = picture.axes
        if posterior is None:
            left.set_title("Codes, and three that may\nhave made the star")
        else:
            left.set_title("Codes, and those that may\nhave made the star: P(z|x)")
            plotting.fill_posterior(left, *posterior, alpha=0.8)
        right.set_title("Where the decoder sends them,\nand 90 % of its noise: P(x|z)")
        for color, marker, code, mean, covariance in zip(
            (plotting.BLUE, "black", plotting.ORANGE), "osD", *likely, strict=True
        ):
            left.plot(*code, marker, color=color, markersize=16)
            right.plot(*mean, marker, color=color, markersize=16)
            right.plot(*plotting.mass_ellipse(mean, covariance, 0.9), color=color)
        right.plot(*observation, "*", color="white", markeredgecolor="black", markersize=34, markeredgewidth=2.5)
        left.set(xlim=codes[[0, -1], 0], ylim=codes[[0, -1], 1])
    return picture
