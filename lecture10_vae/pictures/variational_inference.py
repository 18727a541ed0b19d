"""variational_inference.py's pictures: the bound by gradient steps, and exact posteriors under two Gaussians."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np

from lecture10_vae.studies.gaps import Gaps, posterior_around
from lecture10_vae.tf1 import tf
from lecture10_vae.utils import plotting
from lecture10_vae.utils.mnist import Dataset


def draw(session: tf.Session, model: SimpleNamespace, test: Dataset, gaps: Gaps, folder: Path) -> None:
    """steps.png, and posteriors.png with the first test image of each of eight digits."""
    levels = {
        "ln P(x)": gaps.log_likelihood.mean(),
        "best Gaussian for each image": gaps.per_image_elbo.mean(),
        "encoder, one pass": gaps.encoder_elbo.mean(),
    }
    plotting.save(draw_inference(gaps.elbo_by_step, levels), folder / "steps.png")
    panels = []
    digits = [digit for digit in (0, 1, 2, 3, 4, 5, 7, 8, 6, 9) if digit in test.labels]  # few images may lack some
    for image in [np.flatnonzero(test.labels == digit)[0] for digit in digits[:8]]:
        gaussians = {
            "best Gaussian for this image": [values[image] for values in gaps.per_image],
            "encoder's Q(z|x)": [values[image] for values in gaps.encoder],
        }
        grid = posterior_around(session, model, test.images[image], list(gaussians.values()))
        panels.append((test.images[image], *grid, gaussians))
    plotting.save(draw_posteriors(panels), folder / "posteriors.png")


def draw_inference(elbo_by_step: dict[int, float], levels: dict[str, float]):
    """Bounds by number of steps, beside levels that take none."""
    steps = list(elbo_by_step)
    with plotting.new_picture(11, 7) as picture:
        axes = picture.add_subplot()
        for (name, level), color in zip(levels.items(), ("black", "tab:orange", "tab:blue"), strict=True):
            axes.axhline(level, color=color, label=name)
        axes.plot(
            steps,
            list(elbo_by_step.values()),
            "o-",
            color="tab:orange",
            linewidth=1.5,
            label="a Gaussian for each image, from the prior on",
        )
        axes.set_xscale("symlog", linthresh=1)
        axes.set_xticks(steps, [str(step) for step in steps], rotation=45)
        axes.minorticks_off()
        low = min(levels.values())
        axes.set(xlabel="gradient steps on each image", ylabel="nats")
        axes.set(xlim=(0, None), ylim=(low - 45, max(levels.values()) + 3))
        axes.legend(loc="center left")
    return picture


def draw_posteriors(panels: list[tuple]):
    """Exact posteriors of up to eight images with Gaussians over them.

    Args:
        panels: image [28, 28], codes and ln P(x,z) as for `plotting.fill_posterior`, and Gaussians by name, each
            of mean [2] and stddev [2].
    """
    with plotting.new_picture(16, 8.6) as picture:
        grid = picture.subplots(2, 4).flat
        for unused in grid[len(panels) :]:
            unused.remove()
        for axes, (image, codes, log_joint, gaussians) in zip(grid, panels, strict=False):
            plotting.fill_posterior(axes, codes, log_joint)
            for (name, (mean, stddev)), color in zip(gaussians.items(), ("tab:orange", "tab:blue"), strict=True):
                axes.plot(*plotting.half_mass_ellipse(mean, np.diag(stddev**2)), color=color, label=name)
            axes.locator_params(nbins=3)
            inset = axes.inset_axes((0.72, 0.72, 0.28, 0.28))
            plotting.show_images(inset, image[np.newaxis], columns=1)
        picture.suptitle("The exact posterior P(z|x), green, and two Gaussians Q(z): the lines hold half their mass")
        picture.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return picture
