"""The notes' diagrams that no script draws: the plate diagrams of slides 4 and 11, and slide 10's model at work."""

from pathlib import Path

import daft
import numpy as np
from matplotlib.figure import Figure
from scipy.stats import norm

from lecture10_vae import bayesian_network
from lecture10_vae.amortized_inference import load_vae
from lecture10_vae.tf1 import tf
from lecture10_vae.utils import mnist, plotting
from lecture10_vae.utils.run import restore


def draw(runs: Path, folder: Path) -> None:
    """Writes plate_vae.png, vae_model.png and plate_bayesian_network.png, the latter two from trained runs."""
    plotting.save(plate("z", "x", 4.2, x=3.4, fixed=True, offset=(0, 8)), folder / "plate_vae.png")
    plotting.save(vae_model(runs / "vae"), folder / "vae_model.png")
    plotting.save(plate_bayesian_network(runs / "bayesian_network"), folder / "plate_bayesian_network.png")


def plate(upper: str, lower: str, width: float, **theta) -> Figure:
    """For each of N images, one variable makes another by the parameters theta, which they share; x and y are seen."""
    plates = daft.PGM([width, 3.2], origin=[0, 0], grid_unit=2.6, node_unit=1.4, line_width=2)
    plates.add_node("theta", r"$\theta$", y=1, fontsize=28, **theta)
    for name, y in ((upper, 2.3), (lower, 1)):
        plates.add_node(name, f"${name}$", 1.4, y, observed=name in "xy", fontsize=28)
    plates.add_edge(upper, lower)
    plates.add_edge("theta", lower)
    plates.add_plate([0.5, 0.3, 1.8, 2.6], label=r"$N$ images", fontsize=22)
    return plates.render().figure


def plate_bayesian_network(run: Path) -> Figure:
    """Slide 11: the shared weights theta are random; and what Q says of some weights after training."""
    diagram = plate("x", "y", 4.6, x=3.7)
    diagram.set_dpi(150)
    diagram.canvas.draw()
    with tf.Graph().as_default(), tf.Session() as session:
        model = bayesian_network.build_graph()
        restore(session, run)
        mean, stddev = session.run([model.mean, model.stddev])
    middle, corner = 14 * 28 + 14, 0  # a pixel that most digits have, and one that none has
    with plotting.new_picture(16, 6) as picture:
        left, right = picture.subplots(1, 2, width_ratios=[1, 2])
        left.imshow(np.asarray(diagram.canvas.buffer_rgba()))
        left.axis("off")
        values = np.linspace(-1.6, 1.6, 1_000)
        density = norm.pdf(values, mean[corner, 0], stddev[corner, 0])
        right.plot(values, density, color=plotting.LIGHT_GRAY, linewidth=10, label="corner pixel to the digit 0")
        right.plot(values, norm.pdf(values), ":", color=plotting.EXACT, label="the prior, N(0, 1)")
        for digit, color, style in ((0, plotting.BLUE, "-"), (1, plotting.ORANGE, "--"), (3, plotting.GRAY, "-.")):
            density = norm.pdf(values, mean[middle, digit], stddev[middle, digit])
            right.plot(values, density, style, color=color, label=f"middle pixel to the digit {digit}")
        right.set(xlabel="weight", ylabel="density", title="Q of four weights after training")
        right.legend(loc="upper left", fontsize="small", frameon=False)
    return picture


def vae_model(run: Path) -> Figure:
    """Slide 10 with a test digit going in and coming out: encoder, Q(z|x) with a drawn code, decoder."""
    test = mnist.load("test")
    image = test.images[test.labels == 0][:1]
    with tf.Graph().as_default(), tf.Session() as session:
        model = load_vae(session, run)
        fetches = [model.mean, model.stddev, model.code, model.dist.mean()]
        (mean,), (stddev,), (code,), decoded = session.run(fetches, {model.images: image})
        codes = session.run(model.mean, {model.images: test.images})
    with plotting.new_picture(15, 5, layout=None) as picture:
        for left, shown, title in ((0.02, image, "image x"), (0.8, decoded, "P(x|z), its mean")):
            axes = picture.add_axes((left, 0.12, 0.18, 0.66))
            plotting.show_images(axes, shown, columns=1)
            axes.set_title(title)
        plane = picture.add_axes((0.39, 0.2, 0.22, 0.66))
        plane.scatter(*codes.T, c="lightgray", s=1, linewidths=0)
        plane.plot(*plotting.half_mass_ellipse(mean, np.diag(stddev**2)), label="Q(z|x)")
        plane.plot(*code, "*", color=plotting.ORANGE, markersize=12, label="a code z")
        plane.set(xlabel="z₁", xlim=(-3, 3), ylim=(-3, 3), xticks=[-2, 0, 2], yticks=[-2, 0, 2], aspect="equal")
        plane.set_ylabel("z₂", rotation=0)
        plane.legend(
            fontsize="small", loc="lower center", bbox_to_anchor=(0.5, 1), ncols=2, frameon=False, columnspacing=1
        )
        for left, right, name in ((0.215, 0.365, "encoder"), (0.62, 0.785, "decoder")):
            picture.text((left + right) / 2, 0.56, name, ha="center")
            arrow = {"arrowstyle": "-|>", "mutation_scale": 28, "linewidth": 2.5, "color": plotting.BLUE}
            plane.annotate("", (right, 0.47), (left, 0.47), "figure fraction", "figure fraction", arrow)
            picture.text((left + right) / 2, 0.3, "100 relu units", ha="center", fontsize="small", color=plotting.GRAY)
    return picture
