"""amortized_inference.py's pictures: the bound by gradient steps, and exact posteriors under two Gaussians."""

from pathlib import Path
from types import SimpleNamespace

from lecture10_vae.studies.gaps import Gaps, posterior_around
from lecture10_vae.tf1 import tf
from lecture10_vae.utils import plotting
from lecture10_vae.utils.mnist import Dataset

import numpy as np

SMALLEST_GAP = 0.01  # nats, to be drawn: by few images a bound may lie above ln P(x), within its noise


def draw(session: tf.Session, model: SimpleNamespace, test: Dataset, gaps: Gaps, folder: Path) -> None:
    """steps.png, and posteriors.png with the first test image of each of eight digits."""
    levels = {
        "ln P(x)": gaps.log_likelihood.mean(),
        "best Gaussian for each image": gaps.per_image_elbo.mean(),
        "encoder, one pass": gaps.encoder_elbo.mean(),
    }
    panels = []
    digits = [digit for digit in (0, 1, 2, 3, 4, 5, 7, 8, 6, 9) if digit in test.labels]  # few images may lack some
    for image in [np.flatnonzero(test.labels == digit)[0] for digit in digits[:8]]:
        gaussians = {
            "best Gaussian for this image": [values[image] for values in gaps.per_image],
            "encoder's Q(z|x)": [values[image] for values in gaps.encoder],
        }
        grid = posterior_around(session, model, test.images[image], list(gaussians.values()))
        panels.append((test.images[image], *grid, gaussians))
    plotting.save(draw_inference(gaps.elbo_by_step, levels), folder / "steps.png")
    plotting.save(draw_posteriors(panels), folder / "posteriors.png")


def draw_inference(elbo_by_step: dict[int, float], levels: dict[str, float]):
    """How far bounds stay below ln P(x), by number of steps, beside levels that take none.

    Args:
        elbo_by_step: in nats.
        levels: ln P(x), the best Gaussian's bound, and the encoder's, by their names.
    """
    steps = list(elbo_by_step)
    evidence, best, encoder = levels.values()
    with plotting.new_picture(*plotting.SCREEN) as picture:
        axes = picture.add_subplot()
        gaps = [max(evidence - elbo, SMALLEST_GAP) for elbo in elbo_by_step.values()]
        axes.plot(steps, gaps, "o-", color=plotting.ORANGE)
        place = {"ha": "right", "transform": axes.transAxes}
        axes.text(0.98, 0.1, "a Gaussian for each image,\nfrom the prior on", color=plotting.ORANGE, **place)
        for name, level, color, style in zip(
            list(levels)[1:], (best, encoder), (plotting.ORANGE, plotting.BLUE), ("dotted", "dashed"), strict=True
        ):
            gap = max(evidence - level, SMALLEST_GAP)
            axes.axhline(gap, color=color, linestyle=style)
            axes.annotate(name, (0, gap), (12, 9), textcoords="offset points", color=color)
        axes.set_xscale("symlog", linthresh=1)
        axes.set_xticks(steps, [str(step) for step in steps], rotation=45)
        axes.minorticks_off()
        axes.set(xlabel="gradient steps on each image", xlim=(0, None), ylabel="nats below ln P(x)", yscale="log")
        axes.yaxis.set_major_formatter("{x:g}")
        drawn = [*gaps, max(evidence - best, SMALLEST_GAP)]
        axes.set_ylim(1.6 * max(drawn), min(drawn) / 2)  # what is better is higher
        before = max((step for step, elbo in elbo_by_step.items() if elbo < encoder), default=0)
        after = min((step for step in steps if step > before), default="more")
        axes.set_title(f"The encoder's bound, which takes one pass, takes {before} to {after} gradient steps")
    return picture


def draw_posteriors(panels: list[tuple]):
    """Exact posteriors of up to eight images with Gaussians over them, all to one scale.

    Args:
        panels: image [28, 28], codes and ln P(x,z) as for `plotting.fill_posterior`, and Gaussians by name, each
            of mean [2] and stddev [2].
    """
    names = list(panels[0][-1])
    half = 1.15 * max(reach(*panel[1:]) for panel in panels)
    with plotting.new_picture(*plotting.SCREEN) as picture:
        grid = picture.subplots(2, 4).flat
        for unused in grid[len(panels) :]:
            unused.remove()
        for axes, (image, codes, log_joint, gaussians) in zip(grid, panels, strict=False):
            plotting.fill_posterior(axes, codes, log_joint)
            for name, color, style in zip(names, (plotting.ORANGE, plotting.BLUE), ("dashed", "solid"), strict=True):
                mean, stddev = gaussians[name]
                ellipse = plotting.half_mass_ellipse(mean, np.diag(stddev**2))
                axes.plot(*ellipse, color=color, linestyle=style, label=name)
            xlim, ylim = np.add.outer(codes.mean(axis=0), [-half, half])
            axes.set(xlim=xlim, ylim=ylim, aspect="equal")
            axes.locator_params(nbins=3, steps=[5, 10])
            plotting.show_images(axes.inset_axes(free_corner(codes, log_joint, half)), image[np.newaxis], columns=1)
        for axes in picture.axes[-4:]:
            axes.set_xlabel("z₁")
        for axes in picture.axes[::4]:
            axes.set_ylabel("z₂")
        picture.suptitle("Posteriors of test images' codes, and two Gaussians around half their mass: one scale")
        handles, labels = axes.get_legend_handles_labels()
        handles, labels = handles + plotting.posterior_signs()[:1], [*labels, "exact P(z|x), half of its mass"]
        picture.legend(handles, labels, loc="outside lower center", ncols=3, frameon=False, columnspacing=1)
    return picture


def reach(codes: np.ndarray, log_joint: np.ndarray, gaussians: dict[str, tuple]) -> float:
    """How far from the middle of the grid half of the mass goes, of a posterior and of the Gaussians over it."""
    ellipses = [plotting.half_mass_ellipse(mean, np.diag(stddev**2)).T for mean, stddev in gaussians.values()]
    places = np.concatenate([codes[plotting.region(log_joint, 0.5)], *ellipses])
    return np.abs(places - codes.mean(axis=0)).max()


def free_corner(codes: np.ndarray, log_joint: np.ndarray, half: float) -> tuple[float, float, float, float]:
    """The corner, as part of a panel of that half width, that the posterior has least of its mass in."""
    places = (codes - codes.mean(axis=0)) / (2 * half) + 0.5
    mass = np.exp(log_joint - log_joint.max()) * (np.abs(places - 0.5) <= 0.5).all(axis=1)
    corners = [(x, y) for y in (0.68, 0.02) for x in (0.68, 0.02)]
    held = [mass[(np.abs(places - corner - 0.15) <= 0.15).all(axis=1)].sum() / mass.sum() for corner in corners]
    return (*corners[int(np.argmin(np.round(held, 4)))], 0.3, 0.3)
