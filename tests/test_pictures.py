"""That pictures can be read: text large enough for the back row, colours that stay apart for the colour-blind."""

import functools
import itertools
import re
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.text import Text
from PIL import Image
from scipy.stats import beta

from lecture10_vae.beyond import pictures as beyond
from lecture10_vae.beyond.experiments import two_layers
from lecture10_vae.pictures import amortized_inference, bayesian_network, distributions, lower_bound, vae
from lecture10_vae.pictures.classification import draw_confusion, draw_outputs, draw_reliability
from lecture10_vae.studies import calibration
from lecture10_vae.utils import plotting
from lectures.source import training_gif

# Linear red, green and blue as seen without one kind of cones (Machado, Oliveira, Fernandes 2009, severity 1)
SIGHT = {
    "normal": np.eye(3),
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
}
TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
ROLES = [plotting.BLUE, plotting.ORANGE, plotting.EXACT, plotting.GRAY]
PARTS = [plotting.LIGHT_BLUE, plotting.BLUE, plotting.LIGHT_ORANGE, "white"]
BARS = [plotting.BLUE, plotting.LIGHT_ORANGE, plotting.LIGHT_GRAY, "white"]


def linear(color):
    """A colour's linear red, green and blue (sRGB)."""
    value = np.array(to_rgb(color))
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


def lab(rgb):
    """Linear red, green and blue in CIELAB, where a distance of 2 can just be seen."""
    xyz = TO_XYZ @ np.clip(rgb, 0, 1) / TO_XYZ.sum(axis=1)
    x, y, z = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def smallest_distance(colors, sight):
    seen = [lab(np.array(SIGHT[sight]) @ linear(color)) for color in colors]
    return min(np.linalg.norm(a - b) for a, b in itertools.combinations(seen, 2))


def contrast(color):
    """Of a colour to white paper (WCAG)."""
    return 1.05 / (TO_XYZ[1] @ linear(color) + 0.05)


@pytest.mark.parametrize("sight", SIGHT)
@pytest.mark.parametrize(("colors", "least"), [(ROLES, 40), (PARTS, 20), (BARS, 20), (plotting.DIGIT_COLORS, 30)])
def test_colours_stay_apart(colors, least, sight):
    assert smallest_distance(colors, sight) > least


def test_simulation_finds_the_colours_that_merge():
    tab10 = [
        "#1f77b4",
        "#ff7f0e",
        "#2ca02c",
        "#d62728",
        "#9467bd",
        "#8c564b",
        "#e377c2",
        "#7f7f7f",
        "#bcbd22",
        "#17becf",
    ]
    assert smallest_distance(tab10, "normal") > 25
    assert smallest_distance(tab10, "deuteranopia") < 10
    assert lab(linear("white")) == pytest.approx([100, 0, 0], abs=0.05)


def test_lines_stand_out_from_the_paper():
    assert all(contrast(color) > 3 for color in ROLES)
    assert contrast("black") == pytest.approx(21)


RANDOM = np.random.default_rng(0)
AXIS = np.linspace(-3, 3, 41)
CODES = np.stack(np.meshgrid(AXIS, AXIS, indexing="ij"), axis=-1).reshape(-1, 2)
LOG_JOINT = -(CODES**2).sum(axis=1) / 2  # a standard normal's
MEAN, STDDEV = np.array([0.5, -0.5]), np.array([0.5, 0.3])
COVARIANCE = np.diag(STDDEV**2)
IMAGES, LABELS, PROBABILITY = np.zeros((12, 28, 28)), np.arange(12) % 10, RANDOM.dirichlet(np.ones(10), size=12)
BINS = calibration.reliability(RANDOM.dirichlet(np.ones(10) / 3, size=500), RANDOM.integers(10, size=500))
STEPS, BOUNDS = [0, 1, 10, 100], [-80.0, -60.0, -9.0, -2.5]
LEVELS = {"ln P(x)": -2.0, "best Gaussian for each image": -2.2, "encoder, one pass": -6.0}
ENTROPY = {"expected_entropy_nats": 0.3, "mutual_information_nats": 0.1, "entropy_nats": 0.4, "accuracy": 0.9}
SETS = dict.fromkeys(("test digits", "turned by 90 degrees", "shuffled pixels", "noise"), IMAGES)
BY_ANGLE = {name: [value] * 13 for name, value in ENTROPY.items()}
ROWS = [(f"Epoch {epoch}", RANDOM.normal(size=(200, 2)), IMAGES[:10]) for epoch in (0, 1, 5, 10, 15)]
GAPS = {
    f"{gap}_gap_{what}": 1.5 for gap in ("approximation", "amortization") for what in ("nats", "standard_error_nats")
}
GAPS["images"] = 300
ESTIMATE = SimpleNamespace(log_likelihood=RANDOM.normal(-90, 30, size=300), error=np.full(300, 0.5))
WAYS = ("by_signal_to_noise", "by_mean", "point_estimate_by_size", "point_estimate_by_effect")
PANELS = [(IMAGES[0], CODES, LOG_JOINT, {"a": (MEAN, STDDEV), "b": (MEAN, STDDEV)})] * 8
TWO_LINES = "a title of\ntwo lines"

PICTURES = {  # every kind there is, from made-up numbers
    "densities": lambda: distributions.draw_two_gaussians(AXIS[:10], AXIS[-10:], RANDOM.normal(size=(50, 10))),
    "divergence": lambda: distributions.draw_monte_carlo(10 ** np.arange(1, 4), np.ones(3), np.ones(3) / 9, 1.1),
    "outputs": lambda: draw_outputs(IMAGES, LABELS, PROBABILITY, PROBABILITY, name="output", title=TWO_LINES),
    "doubtful": lambda: draw_outputs(
        IMAGES, LABELS, PROBABILITY, draws=PROBABILITY[np.newaxis], name="probability", title=TWO_LINES
    ),
    "reliability": lambda: draw_reliability({"Bayesian": BINS, "point estimate": BINS}),
    "confusion": lambda: draw_confusion(LABELS, np.roll(LABELS, 1)),
    "walk": lambda: lower_bound.draw_walk(
        CODES, LOG_JOINT, [(f"step {step}", MEAN, COVARIANCE) for step in range(11)], (MEAN, COVARIANCE)
    ),
    "bound": lambda: lower_bound.draw_bound(STEPS, BOUNDS, -2.0, -2.3),
    "decoder": lambda: lower_bound.draw_decoder(
        CODES, CODES, MEAN, (CODES, LOG_JOINT), (CODES[:180:60], CODES[:180:60], [COVARIANCE] * 3)
    ),
    "decoder without posterior": lambda: lower_bound.draw_decoder(
        CODES, CODES, MEAN, None, (CODES[:180:60], CODES[:180:60], [COVARIANCE] * 3)
    ),
    "steps": lambda: amortized_inference.draw_inference(dict(zip(STEPS, BOUNDS, strict=True)), LEVELS),
    "posteriors": lambda: amortized_inference.draw_posteriors(PANELS),
    "results": lambda: vae.draw_results(ROWS, np.arange(200) % 10),
    "reconstructions": lambda: vae.draw_reconstructions(*[np.zeros((40, 28, 28))] * 2),
    "manifold": lambda: vae.draw_manifold(np.zeros((400, 28, 28)), np.linspace(-2, 2, 20)),
    "weights": lambda: bayesian_network.draw_weights(*[RANDOM.random((784, 10))] * 2),
    "rotation": lambda: two_layers.draw_rotation(np.zeros((13, 28, 28)), list(range(0, 181, 15)), BY_ANGLE, BY_ANGLE),
    "unfamiliar": lambda: two_layers.draw_unfamiliar(SETS, *[dict.fromkeys(SETS, ENTROPY)] * 2),
    "gaps": lambda: beyond.draw_gaps(GAPS),
    "estimates": lambda: beyond.draw_estimates((ESTIMATE,) * 4 + (None,)),
    "pruning": lambda: two_layers.draw_pruning([1.0, 0.1, 0.01], **{way: [0.9, 0.5, 0.1] for way in WAYS}),
}


@functools.cache
def painted(name):
    """A picture, with everything in its place."""
    picture = PICTURES[name]()
    picture.draw_without_rendering()
    return picture


def written(picture):
    """The texts that are shown, each with its box in pixels."""
    hidden = {text for axes in picture.axes for axis in (axes.xaxis, axes.yaxis) for text in not_drawn(axis)}
    texts = (text for text in picture.findobj(Text) if text.get_visible() and text.get_text().strip())
    boxes = [(text, text.get_window_extent()) for text in texts if text not in hidden]
    return [(text, box) for text, box in boxes if box.width > 0]


def not_drawn(axis):
    """Labels of ticks that matplotlib keeps outside of an axis, or of an axis that it does not draw."""
    low, high = sorted(axis.get_view_interval())
    for tick in (*axis.get_major_ticks(), *axis.get_minor_ticks()):
        if not axis.axes.axison or not low <= tick.get_loc() <= high:
            yield from (tick.label1, tick.label2)


def test_every_picture_of_the_scripts_is_looked_at():
    sources = [path.read_text(encoding="utf-8") for path in Path(vae.__file__).parent.glob("*.py")]
    names = {name for source in sources for name in re.findall(r'/ "(\w+)\.png"', source)}
    assert names - {"digits"} <= set(PICTURES)  # the digits are the projector's


@pytest.mark.parametrize("name", PICTURES)
def test_text_at_full_screen_is_at_least_18_points_and_titles_24(name):
    picture = painted(name)
    width, height = picture.get_size_inches()
    sizes = [text.get_fontsize() / max(width / 16, height / 9) for text, _ in written(picture)]
    assert min(sizes) >= 18
    assert max(sizes) == pytest.approx(24)


@pytest.mark.parametrize("name", PICTURES)
def test_no_text_leaves_its_picture_or_covers_another(name):
    picture = painted(name)
    texts = written(picture)
    whole = picture.bbox.padded(1)
    for text, box in texts:
        assert whole.x0 <= box.x0 <= box.x1 <= whole.x1, text.get_text()
        assert whole.y0 <= box.y0 <= box.y1 <= whole.y1, text.get_text()
    for (one, its_box), (other, other_box) in itertools.combinations(texts, 2):
        assert not its_box.padded(-1).overlaps(other_box.padded(-1)), (one.get_text(), other.get_text())


@pytest.mark.parametrize("name", PICTURES)
def test_every_picture_has_a_title_and_every_axis_with_numbers_a_name(name):
    picture = painted(name)
    assert picture.get_suptitle() or any(axes.get_title() for axes in picture.axes)
    for axes in picture.axes:
        numbered = [axis for axis in (axes.xaxis, axes.yaxis) if len(axis.get_ticklocs())]
        assert not numbered or axes.get_xlabel() or axes.get_ylabel() or len(picture.axes) > 2


def test_digits_are_written_at_their_clusters_without_covering_each_other():
    random = np.random.default_rng(0)
    labels = np.arange(2_000) % 10
    middles = np.array([[digit % 4, digit // 4] for digit in range(10)]) * 2.0
    middles[9] = middles[8]  # two in one place
    points = middles[labels] + random.normal(size=(2_000, 2))
    with plotting.new_picture(4, 4) as picture:
        axes = picture.add_subplot(xlim=(-4, 10), ylim=(-4, 10))
        plotting.write_digits(axes, points, labels)
    places = np.array([text.get_position() for text in axes.texts])
    assert [text.get_text() for text in axes.texts] == list("0123456789")
    assert np.hypot(*(places - middles).T).max() < 1
    assert min(np.hypot(*(a - b)) for a, b in itertools.combinations(places, 2)) > 0.95 * 0.1 * 14


def test_digits_in_one_heap_are_not_written():
    points = 0.1 * np.random.default_rng(0).normal(size=(500, 2))
    with plotting.new_picture(4, 4) as picture:
        axes = picture.add_subplot(xlim=(-4, 10), ylim=(-4, 10))
        plotting.write_digits(axes, points, np.arange(500) % 10)
    assert not axes.texts


def test_slide_26_shows_every_code():
    scatters = [axes for axes in painted("results").axes if axes.lines]
    assert len(scatters) == 5
    for axes in scatters:
        (left, right), (bottom, top) = axes.get_xlim(), axes.get_ylim()
        x, y = np.concatenate([line.get_data() for line in axes.lines], axis=1)
        assert len(x) == 200
        assert left < x.min() < x.max() < right
        assert bottom < y.min() < y.max() < top


def test_error_bars_are_jeffreys_intervals_and_small_bins_are_left_out():
    bins = calibration.Reliability(np.array([0.25, 0.75]), np.array([0.5, 0.9]), np.array([4, 50]))
    left, _ = draw_reliability({"a": bins}).axes
    (bars,) = left.containers
    np.testing.assert_allclose(bars.lines[0].get_data(), [[0.75], [0.9]])
    ((_, low), (_, high)) = bars.lines[2][0].get_segments()[0]
    assert (low, high) == pytest.approx(tuple(beta(45.5, 5.5).ppf([0.025, 0.975])))


def test_codes_that_may_have_made_the_observation_lie_on_the_posteriors_ridge():
    axis = np.linspace(-3, 3, 101)
    codes = np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1).reshape(-1, 2)
    ridge = codes[:, 0] ** 2 / 2
    log_joint = -(codes[:, 0] ** 2) / 2 - 50 * (codes[:, 1] - ridge) ** 2
    likely = lower_bound.likely_codes(codes, log_joint)
    np.testing.assert_allclose(likely[:, 0], [-1.64, 0, 1.64], atol=0.1)  # a normal's quantiles
    np.testing.assert_allclose(likely[:, 1], likely[:, 0] ** 2 / 2, atol=0.06)


def test_regions_hold_the_mass_that_they_should():
    mass = np.exp(4 * LOG_JOINT)  # a normal of stddev 1/2
    for held in (0.5, 0.9, 0.99):
        inside = plotting.region(4 * LOG_JOINT, held)
        assert mass[inside].sum() / mass.sum() == pytest.approx(held, abs=0.02)
        assert np.hypot(*CODES[inside].T).max() == pytest.approx(np.sqrt(-2 * np.log(1 - held)) / 2, abs=0.1)
        line = plotting.mass_ellipse([0, 0], np.eye(2), held)
        np.testing.assert_allclose(np.hypot(*line), np.sqrt(-2 * np.log(1 - held)))


def test_a_gaussian_that_is_almost_a_line_has_an_ellipse():
    line = plotting.mass_ellipse([0, 0], np.float32([[1, 1], [1, 1 - 1e-7]]), 0.5)  # which rounding leaves no width
    np.testing.assert_allclose(np.abs(line[0]).max(), np.sqrt(2 * np.log(2)), rtol=1e-2)
    np.testing.assert_allclose(line[0], line[1], atol=0.01)


@pytest.mark.parametrize(
    ("bounds", "title"),
    [
        ([-9, -5, -3], "The encoder's bound, which takes one pass, takes 1 to 2 gradient steps"),
        ([-9, -8, -7], "2 gradient steps do not reach the encoder's bound"),
        ([-3, -2, -1], "The encoder's bound, which takes one pass, takes 0 gradient steps"),
    ],
)
def test_title_of_steps_follows_from_the_numbers(bounds, title):
    assert amortized_inference.describe_steps(dict(enumerate(bounds)), encoder=-4) == title


def test_same_numbers_give_the_same_bytes(tmp_path):
    for name in "ab":
        plotting.save(vae.draw_manifold(np.random.default_rng(0).random((4, 28, 28)), np.arange(2)), tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_training_is_shown_epoch_by_epoch(tmp_path):
    random = np.random.default_rng(0)
    rows = [(epoch, random.normal(size=(300, 2)), random.random((10, 28, 28))) for epoch in range(3)]
    frames = [training_gif.draw_frame(*row, np.arange(300) % 10, np.array([[-4, 4]] * 2)) for row in rows]
    training_gif.save(frames, tmp_path / "training.gif")
    with Image.open(tmp_path / "training.gif") as animation:
        durations = [animation.seek(frame) or animation.info["duration"] for frame in range(animation.n_frames)]
        shown = np.asarray(animation.convert("RGB"), int)
    assert durations == [1800, 600, 1800]
    assert animation.info["loop"] == 0  # for ever
    assert np.abs(shown - np.asarray(frames[-1], int)).mean() < 2  # of 255: the palette has the colours


def test_training_gif_shows_each_of_15_epochs_and_loads_fast():
    assert training_gif.FIGURE.stat().st_size < 500_000
    with Image.open(training_gif.FIGURE) as animation:
        assert animation.n_frames == 16
