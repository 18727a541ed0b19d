"""That pictures can be read: text large enough for the back row, colours that stay apart for the colour-blind."""

import itertools

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.text import Text
from scipy.stats import beta

from lecture10_vae.pictures import amortized_inference, bayesian_network, distributions, lower_bound, vae
from lecture10_vae.pictures.classification import draw_confusion, draw_outputs, draw_reliability
from lecture10_vae.studies import calibration
from lecture10_vae.utils import plotting

# Linear red, green and blue as seen without one kind of cones (Machado, Oliveira, Fernandes 2009, severity 1)
SIGHTS = {
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
}
TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
ROLES = [plotting.BLUE, plotting.ORANGE, plotting.EXACT, plotting.GRAY]
PARTS = [plotting.LIGHT_BLUE, plotting.BLUE, plotting.LIGHT_ORANGE, "white"]
BARS = [plotting.BLUE, plotting.LIGHT_ORANGE, plotting.LIGHT_GRAY, "white"]


def lab(color, sight):
    """A colour in CIELAB as it is seen, where a distance of 2 is just visible."""
    value = np.array(to_rgb(color))
    linear = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
    xyz = TO_XYZ @ np.clip(np.array(SIGHTS[sight]) @ linear, 0, 1) / TO_XYZ.sum(axis=1)
    x, y, z = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.mark.parametrize("sight", SIGHTS)
def test_colours_stay_apart_and_lines_stand_out_from_the_paper(sight):
    for colors, least in [(ROLES, 40), (PARTS, 20), (BARS, 20), (plotting.DIGIT_COLORS, 30)]:
        seen = [lab(color, sight) for color in colors]
        assert min(np.linalg.norm(a - b) for a, b in itertools.combinations(seen, 2)) > least
    assert max(lab(color, sight)[0] for color in ROLES) < 61.6  # a contrast of 3 to white (WCAG)


RANDOM = np.random.default_rng(0)
AXIS = np.linspace(-3, 3, 41)
CODES = np.stack(np.meshgrid(AXIS, AXIS, indexing="ij"), axis=-1).reshape(-1, 2)
LOG_JOINT = -(CODES**2).sum(axis=1) / 2  # a standard normal's
MEAN, STDDEV = np.array([0.5, -0.5]), np.array([0.5, 0.3])
GAUSSIAN = MEAN, np.diag(STDDEV**2)
LIKELY = CODES[:180:60], CODES[:180:60], GAUSSIAN[1:] * 3
IMAGES, LABELS, PROBABILITY = np.zeros((12, 28, 28)), np.arange(12) % 10, RANDOM.dirichlet(np.ones(10), size=12)
BINS = calibration.reliability(RANDOM.dirichlet(np.ones(10) / 3, size=500), RANDOM.integers(10, size=500))
STEPS, BOUNDS = [0, 1, 10, 100], [-80.0, -60.0, -9.0, -2.5]
LEVELS = {"ln P(x)": -2.0, "best Gaussian for each image": -2.2, "encoder, one pass": -6.0}
CLUSTERED = RANDOM.normal(size=(200, 2)) + 2 * np.arange(200)[:, None] % [4, 10]  # so that digits are written on them
ROWS = [(f"Epoch {epoch}", CLUSTERED, IMAGES[:10]) for epoch in (0, 1, 5, 10, 15)]
PANELS = [(IMAGES[0], CODES, LOG_JOINT, {"a": (MEAN, STDDEV), "b": (MEAN, STDDEV)})] * 8
OUTPUTS = {"name": "output", "title": "a title of\ntwo lines"}

PICTURES = {  # every kind there is, from made-up numbers
    "densities": lambda: distributions.draw_two_gaussians(AXIS[:10], AXIS[-10:], RANDOM.normal(size=(50, 10))),
    "divergence": lambda: distributions.draw_monte_carlo(10 ** np.arange(1, 4), np.ones(3), np.ones(3) / 9, 1.1),
    "outputs": lambda: draw_outputs(IMAGES, LABELS, PROBABILITY, PROBABILITY, **OUTPUTS),
    "doubtful": lambda: draw_outputs(IMAGES, LABELS, PROBABILITY, draws=PROBABILITY[np.newaxis], **OUTPUTS),
    "reliability": lambda: draw_reliability({"Bayesian": BINS, "point estimate": BINS}),
    "confusion": lambda: draw_confusion(LABELS, np.roll(LABELS, 1)),
    "walk": lambda: lower_bound.draw_walk(CODES, LOG_JOINT, [("step 1,000", *GAUSSIAN)] * 11, GAUSSIAN),
    "bound": lambda: lower_bound.draw_bound(STEPS, BOUNDS, -2.0, -2.3),
    "decoder": lambda: lower_bound.draw_decoder(CODES, CODES, MEAN, (CODES, LOG_JOINT), LIKELY),
    "steps": lambda: amortized_inference.draw_inference(dict(zip(STEPS, BOUNDS, strict=True)), LEVELS),
    "posteriors": lambda: amortized_inference.draw_posteriors(PANELS),
    "results": lambda: vae.draw_results(ROWS, np.arange(200) % 10),
    "reconstructions": lambda: vae.draw_reconstructions(*[np.zeros((40, 28, 28))] * 2),
    "manifold": lambda: vae.draw_manifold(np.zeros((400, 28, 28)), np.linspace(-2, 2, 20)),
    "weights": lambda: bayesian_network.draw_weights(*[RANDOM.random((784, 10))] * 2),
}


def written(picture):
    """The texts that are shown, each with its box in pixels; not the ticks' outside of their axis."""
    hidden = set()
    for axis in (axis for axes in picture.axes for axis in (axes.xaxis, axes.yaxis)):
        low, high = sorted(axis.get_view_interval())
        ticks = (tick for tick in axis.get_major_ticks() if not axis.axes.axison or not low <= tick.get_loc() <= high)
        hidden |= {label for tick in ticks for label in (tick.label1, tick.label2)}
    texts = (text for text in picture.findobj(Text) if text.get_visible() and text.get_text().strip())
    boxes = [(text, text.get_window_extent()) for text in texts if text not in hidden]
    return [(text, box) for text, box in boxes if box.width > 0]


@pytest.mark.parametrize("name", PICTURES)
def test_text_at_full_screen_is_at_least_18_points_and_covers_no_other(name):
    picture = PICTURES[name]()
    picture.draw_without_rendering()
    texts = written(picture)
    width, height = picture.get_size_inches()
    sizes = [text.get_fontsize() / max(width / 16, height / 9) for text, _ in texts]
    assert min(sizes) >= 18
    assert max(sizes) == pytest.approx(24)  # there is a title
    whole = picture.bbox.padded(1)
    for text, box in texts:
        assert whole.x0 <= box.x0 <= box.x1 <= whole.x1, text.get_text()
        assert whole.y0 <= box.y0 <= box.y1 <= whole.y1, text.get_text()
    for (one, its_box), (other, other_box) in itertools.combinations(texts, 2):
        assert not its_box.padded(-1).overlaps(other_box.padded(-1)), (one.get_text(), other.get_text())


def test_error_bars_are_jeffreys_intervals_and_small_bins_are_left_out():
    bins = calibration.Reliability(np.array([0.25, 0.75]), np.array([0.5, 0.9]), np.array([4, 50]))
    left, _ = draw_reliability({"a": bins}).axes
    (bars,) = left.containers
    np.testing.assert_allclose(bars.lines[0].get_data(), [[0.75], [0.9]])
    ((_, low), (_, high)) = bars.lines[2][0].get_segments()[0]
    assert (low, high) == pytest.approx(tuple(beta(45.5, 5.5).ppf([0.025, 0.975])))


def test_regions_hold_the_mass_that_they_should_also_of_a_gaussian_that_is_almost_a_line():
    mass = np.exp(4 * LOG_JOINT)  # a normal of stddev 1/2
    for held in (0.5, 0.9, 0.99):
        inside = plotting.region(4 * LOG_JOINT, held)
        assert mass[inside].sum() / mass.sum() == pytest.approx(held, abs=0.02)
        assert np.hypot(*CODES[inside].T).max() == pytest.approx(np.sqrt(-2 * np.log(1 - held)) / 2, abs=0.1)
        line = plotting.mass_ellipse([0, 0], np.eye(2), held)
        np.testing.assert_allclose(np.hypot(*line), np.sqrt(-2 * np.log(1 - held)))
    line = plotting.mass_ellipse([0, 0], np.float32([[1, 1], [1, 1 - 1e-7]]), 0.5)  # which rounding leaves no width
    np.testing.assert_allclose(np.abs(line[0]).max(), np.sqrt(2 * np.log(2)), rtol=1e-2)
    np.testing.assert_allclose(line[0], line[1], atol=0.01)
