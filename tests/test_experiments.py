"""The experiments over seeds, but for the VAE's (test_studies.py): each against an independent computation."""

import functools
import importlib
import json
from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread
from scipy.integrate import dblquad
from scipy.optimize import minimize_scalar
from scipy.special import expit, softmax
from scipy.stats import entropy, norm

from lecture10_vae import bayesian_network, lower_bound, regression
from lecture10_vae.experiments import doubt, gradients, learned_stddev, mean_field, over_seeds, two_layers
from lecture10_vae.studies import bound_on_grid, evidence, uncertainty
from lecture10_vae.studies.gaps import inverse_softplus
from lecture10_vae.studies.training import train
from lecture10_vae.tf1 import tf, tfd
from lecture10_vae.utils import command_line, mnist, plotting

CALLED = []


def measure_something(seed):
    """Something of a seed."""
    CALLED.append(seed)
    if seed == 3:
        raise KeyboardInterrupt
    return {"twice": np.float32(2 * seed), "parts": {"by_epoch": np.array([seed, seed**2])}}


@pytest.fixture
def run_something(tmp_path):
    """Runs the experiment above in a folder of its own."""

    def draw(numbers):
        return plotting.draw_images(np.full([1, 28, 28], numbers["twice"]["stddev"] / 10))

    CALLED.clear()
    return lambda seeds: over_seeds.run(measure_something, draw, "something", seeds, tmp_path / "new" / "something")


def test_numbers_of_seeds_become_mean_stddev_and_values(run_something, tmp_path):
    numbers = run_something(3)
    assert numbers["twice"] == {"mean": 2, "stddev": 2, "values": [0, 2, 4]}
    assert numbers["parts"]["by_epoch"]["mean"] == pytest.approx([1, 5 / 3])
    assert numbers["parts"]["by_epoch"]["values"] == [[0, 0], [1, 1], [2, 4]]
    folder = tmp_path / "new" / "something"
    assert json.loads((folder / "results.json").read_text()) == numbers
    assert imread(folder / "something.png").mean() == pytest.approx(0.8, abs=0.2)


def test_what_was_measured_is_kept_until_it_is_deleted(run_something, tmp_path, capsys):
    with pytest.raises(KeyboardInterrupt):
        run_something(5)
    files = [tmp_path / "new" / "something" / f"seed_{seed}.json" for seed in range(3)]
    assert sorted(files[0].parent.iterdir()) == files
    CALLED.clear()
    run_something(3)
    assert CALLED == []
    assert str(files[2]) in capsys.readouterr().out
    files[1].unlink()
    run_something(3)
    assert CALLED == [1]


def test_rows_become_columns():
    rows = [{"a": 1, "b": {"c": 2}}, {"a": 3, "b": {"c": 4}}]
    assert over_seeds.in_columns(rows) == {"a": [1, 3], "b": {"c": [2, 4]}}


@pytest.mark.parametrize(
    "name",
    [
        "amortization",
        "doubt",
        "evidence_by_epoch",
        "gradients",
        "information",
        "learned_stddev",
        "mean_field",
        "two_layers",
    ],
)
def test_command_measures_and_draws_by_its_own_functions(name, tmp_path, monkeypatch):
    experiment = importlib.import_module(f"lecture10_vae.experiments.{name}")
    monkeypatch.setattr(over_seeds, "run", lambda *given: given)
    monkeypatch.setattr(two_layers, "draw_more", lambda *_: None)
    assert experiment.main(seeds=3, logdir=tmp_path) == (experiment.measure, experiment.draw, name, 3, tmp_path)
    parser = command_line.make_parser(experiment.main)
    assert parser.parse_args([]).logdir == Path(f"runs/experiments/{name}")


def draw_and_read(draw, numbers, path):
    """A picture of two seeds' equal numbers, as it is read from its file: [height, width, 4]."""
    plotting.save(draw(over_seeds.mean_and_stddev_of_each([numbers] * 2)), path / "picture.png")
    return imread(path / "picture.png")


def test_gradients_of_a_seed_are_drawn(tmp_path, monkeypatch):
    monkeypatch.setattr(gradients, "DRAWS", 20)
    monkeypatch.setattr(gradients, "FAMILIES", {"mean_field": False})
    numbers = gradients.measure(0)
    image = draw_and_read(gradients.draw, numbers, tmp_path)
    assert image.shape[:2] == (1080, 1920)
    assert image.std() > 0.05
    far, near = (np.array(numbers["mean_field"][place]["path_variance"]) for place in ("start", "best"))
    assert (far > near).all()
    ratio = np.divide(numbers["mean_field"]["best"]["score_variance"], near)
    np.testing.assert_allclose(numbers["mean_field"]["best"]["score_ratio"], ratio)


def test_learned_stddevs_of_a_seed_are_drawn(on_small_mnist, tmp_path, monkeypatch):
    monkeypatch.setattr(learned_stddev, "EPOCHS", 0)
    numbers = learned_stddev.measure(0)
    assert draw_and_read(learned_stddev.draw, numbers, tmp_path).std() > 0.05
    for name, least in (("learned", 0.2), ("learned_middle_floor", 0.1), ("learned_low_floor", 0.05)):
        assert least < numbers[name]["least_stddev"] < least + 0.5  # untrained, softplus of about 0 is 0.69
    assert numbers["constant"]["least_stddev"] == 1


def test_two_layers_numbers_are_on_the_same_images(on_small_mnist, tmp_path, monkeypatch):
    monkeypatch.setattr(two_layers, "EPOCHS", 0)
    monkeypatch.setattr(two_layers, "DRAWS", 2)
    numbers = two_layers.measure(0)
    assert len(numbers["rotation"]["degrees"]) == 13
    for name in ("bayesian", "point_estimate"):
        assert len(numbers["rotation"][name]["accuracy"]) == 13
        assert set(numbers["unfamiliar"][name]) == {"test digits", "turned by 90 degrees", "shuffled pixels", "noise"}
        assert 0.1 < numbers[name]["confidence"] < 1
    assert numbers["rotation"]["point_estimate"]["accuracy"][0] == numbers["point_estimate"]["accuracy"]
    fifth = numbers["pruning"]["kept"].index(0.2)
    assert len(numbers["pruned_to_a_fifth"]) == 4
    for way, accuracy in numbers["pruned_to_a_fifth"].items():
        assert accuracy == numbers["pruning"][way][fifth]
    assert draw_and_read(two_layers.draw, numbers, tmp_path).std() > 0.05
    two_layers.draw_more(over_seeds.mean_and_stddev_of_each([numbers] * 2), tmp_path)
    for name in ("rotation", "pruning"):
        assert imread(tmp_path / f"{name}.png").std() > 0.05


@pytest.fixture(params=[False, True], ids=["diagonal", "full"])
def walked(request):
    """A session and the model after 150 steps, half way to the posterior."""
    with tf.Graph().as_default(), tf.Session() as session:
        model = lower_bound.build_graph(full_covariance=request.param)
        session.run(tf.global_variables_initializer())
        for _ in range(150):
            session.run(model.optimize)
        yield session, model


def test_gradient_estimates_agree_with_the_grids_in_the_mean(walked):
    session, model = walked
    codes, cell = evidence.code_grid()
    compared = gradients.compare(session, model, gradients.build_gradients(model), codes, cell, draws=2_000)
    exact = np.array(compared["exact"])
    for name in gradients.ESTIMATES:
        off = np.abs(np.subtract(compared[f"{name}_mean"], exact))
        assert (off < 4.5 * np.array(compared[f"{name}_error"])).all(), name

    # The integral's own derivative, by finite differences of the bound by quadrature.
    differences = []
    for variable in tf.trainable_variables():
        value = session.run(variable)
        for place in np.ndindex(value.shape):
            bounds = []
            for sign in (1, -1):
                moved = np.array(value)
                moved[place] += sign * 0.01
                variable.load(moved, session)
                bounds.append(bound_on_grid.measure(session, model, codes, cell)["bound"])
            variable.load(value, session)
            differences.append((bounds[0] - bounds[1]) / 0.02)
    np.testing.assert_allclose(exact, differences, atol=0.01)


def test_noise_of_the_score_function_is_that_of_the_grid(walked):
    """Its variance E[(f - b)^2 g^2] - E[(f - b) g]^2 by quadrature, with d ln Q(z), here called g, written out."""
    session, model = walked
    codes, cell = evidence.code_grid()
    _, log_joint, log_posterior = bound_on_grid.log_densities(session, model, codes)
    mass, value = np.exp(log_posterior) * cell, (log_joint - log_posterior)[:, np.newaxis]
    mean, covariance = session.run([model.mean, model.covariance])
    score = (codes - mean) @ np.linalg.inv(covariance)  # in the mean, which both families have in common
    baseline = mass @ (score**2 * value) / (mass @ score**2)
    compared = gradients.compare(session, model, gradients.build_gradients(model), codes, cell, draws=4_000)
    for name, weighted in (("score", value * score), ("score_with_baseline", (value - baseline) * score)):
        by_grid = mass @ weighted**2 - (mass @ weighted) ** 2
        np.testing.assert_allclose(compared[f"{name}_variance"][:2], by_grid, rtol=0.3)
    assert np.less(compared["score_with_baseline_variance"], compared["score_variance"]).all()


def test_noise_goes_where_q_is_the_posterior(monkeypatch):
    """There ln P(x,z) - ln Q(z) is ln P(x) for all z; the last form keeps the noise of ln P(x|z), in closed form."""
    stddev = np.array([1.0, 0.5])
    monkeypatch.setattr(lower_bound, "make_decoder", lambda code: tfd.MultivariateNormalDiag(code, [1.0, 0.5]))
    with tf.Graph().as_default(), tf.Session() as session:
        model = lower_bound.build_graph()
        session.run(tf.global_variables_initializer())
        given = session, model, gradients.build_gradients(model), *evidence.code_grid()
        numbers = gradients.measure_places(*given, draws=3_000)["best"]
        before = len(session.graph.get_operations())
        gradients.compare(*given, draws=10)
        assert len(session.graph.get_operations()) == before
        covariance = session.run(model.covariance)
    np.testing.assert_allclose(numbers["path_without_score_variance"], 0, atol=1e-4)
    np.testing.assert_allclose(numbers["score_with_baseline_variance"], 0, atol=1e-3)
    assert min(numbers["path_variance"] + numbers["path_of_first_form_variance"]) > 0.1
    second, last = numbers["form_variance"]
    assert second == pytest.approx(0, abs=1e-4)
    error = lower_bound.OBSERVATION * (1 - np.diag(covariance) / stddev**2)  # x less the posterior's mean
    closed = (error**2 * np.diag(covariance) / stddev**4 + np.diag(covariance) ** 2 / stddev**4 / 2).sum()
    assert last == pytest.approx(closed, rel=0.15)


@pytest.fixture(params=["constant", "learned_low_floor"])
def regressed(request, small_mnist):
    """A session and a network after five epochs on `small_mnist`."""
    with tf.Graph().as_default(), tf.Session() as session:
        model = regression.build_graph(**learned_stddev.NETWORKS[request.param])
        train(session, model.optimize, small_mnist["train"], 5, model.images, model.digit, batch_size=50)
        yield session, model


def test_best_constant_stddev_is_the_one_that_a_search_finds(regressed, small_mnist):
    session, model = regressed
    data, test = small_mnist["train"], small_mnist["test"]
    numbers = learned_stddev.measure_network(session, model, data, test)
    label = {part: np.eye(10)[of_part.labels] for part, of_part in small_mnist.items()}
    mean = {part: session.run(model.mean, {model.images: of_part.images}) for part, of_part in small_mnist.items()}
    mean = {part: of_part.astype(np.float64) for part, of_part in mean.items()}

    def log_prob(part, stddev):
        return norm.logpdf(label[part], mean[part], stddev).sum(axis=1).mean()

    searched = minimize_scalar(lambda stddev: -log_prob("train", stddev), bounds=(0.05, 2), options={"xatol": 1e-6})
    assert numbers["constant_stddev"] == pytest.approx(searched.x, rel=1e-3)
    assert numbers["constant_log_prob_nats"] == pytest.approx(log_prob("test", searched.x), abs=1e-3)
    stddev = session.run(model.stddev, {model.images: test.images})
    assert numbers["log_prob_nats"] == pytest.approx(log_prob("test", stddev), rel=1e-5)
    assert stddev.min() >= 0.05
    assert (numbers["least_stddev"], numbers["median_stddev"]) == pytest.approx((stddev.min(), np.median(stddev)))
    assert numbers["ceiling_nats"] == pytest.approx(10 * norm.logpdf(0, 0, stddev.min()), rel=1e-5)
    assert numbers["accuracy"] == np.mean(mean["test"].argmax(axis=1) == test.labels)
    assert numbers["constant_log_prob_nats"] > log_prob("test", 1) + 3


@pytest.fixture(scope="module")
def two_pixels():
    return mean_field.two_pixels(mnist.load("train"))


@pytest.fixture(scope="module")
def posterior(two_pixels):
    return mean_field.measure_posterior(*two_pixels)


def test_two_pixels_are_those_of_threes_and_fives(small_mnist):
    inputs, labels = mean_field.two_pixels(small_mnist["train"], count=300)
    upper, lower = (small_mnist["train"].pixels[:, row, 9].astype(int) for row in (10, 11))
    drawn = {}
    for digit, label in ((3, 0), (5, 1)):
        of_digit = small_mnist["train"].labels == digit
        drawn[label] = set(zip(upper[of_digit], lower[of_digit], strict=True))
    of_both = np.isin(small_mnist["train"].labels, [3, 5])
    pairs = np.stack([upper, lower], axis=1)[of_both]
    pixels = np.round(inputs * pairs.std(axis=0) + pairs.mean(axis=0)).astype(int)
    assert all(tuple(pair) in drawn[label] for pair, label in zip(pixels.tolist(), labels, strict=True))
    assert 0.3 < labels.mean() < 0.7
    assert np.corrcoef(inputs.T)[0, 1] > 0.6
    assert (np.corrcoef(inputs.T, labels)[2, :2] > 0.2).all()  # where a 5 has its stroke


def test_exact_posterior_is_that_of_adaptive_quadrature(two_pixels, posterior):
    inputs, labels = (array.astype(np.float64) for array in two_pixels)

    def density(second, first):  # a product of Bernoullis and two standard normals, scaled to about 1
        right = expit((2 * labels - 1) * (inputs @ [first, second]))
        return np.exp(np.log(right).sum() + 60 - (first**2 + second**2) / 2) / (2 * np.pi)

    def integral(function):
        box = (-3, 4, -3, 4)
        value, _ = dblquad(lambda b, a: function(a, b) * density(b, a), *box, epsabs=1e-10, epsrel=1e-6)
        return value

    whole = integral(lambda a, b: 1)
    mean = integral(lambda a, b: a) / whole
    assert posterior["log_evidence_nats"] == pytest.approx(np.log(whole) - 60, abs=1e-4)
    assert posterior["exact"]["weight_mean"][0] == pytest.approx(mean, abs=1e-4)
    variance = integral(lambda a, b: (a - mean) ** 2) / whole
    assert posterior["exact"]["weight_stddev"][0] == pytest.approx(np.sqrt(variance), abs=1e-4)


@pytest.mark.parametrize("name", mean_field.FAMILIES)
def test_gradient_ascent_finds_the_gaussian_with_the_best_bound(two_pixels, posterior, name):
    weights, cell = evidence.code_grid()
    log_joint = mean_field.log_joint(weights, *two_pixels)
    best = bound_on_grid.best_in_family(log_joint, weights, cell, mean_field.FAMILIES[name])
    by_grid, by_ascent = mean_field.moments(best.mean, best.covariance), posterior[name]
    for key in ("weight_mean", "weight_stddev", "correlation", "sum_stddev", "difference_stddev"):
        np.testing.assert_allclose(by_ascent[key], by_grid[key], atol=0.01)
    # ln P(labels|inputs) is the bound and the gap, each from its own formula
    assert best.bound + by_ascent["gap_nats"] == pytest.approx(posterior["log_evidence_nats"], abs=2e-3)


def test_mean_field_is_too_narrow_by_the_closed_form_and_the_full_covariance_is_not(posterior):
    narrow, full = posterior["mean_field"], posterior["full_covariance"]
    assert posterior["correlation"] < -0.4  # the pixels have ink together
    np.testing.assert_allclose(narrow["ratio"], posterior["predicted_ratio"], rtol=0.06)
    assert max(narrow["ratio"]) < 0.9
    np.testing.assert_allclose(full["ratio"], 1, atol=0.04)
    assert narrow["gap_nats"] > 3 * full["gap_nats"] > 0
    # What the data tell best, the sum, it doubts too much; what they tell least, the difference, too little.
    assert narrow["sum_stddev"] > 1.1 * posterior["exact"]["sum_stddev"]
    assert narrow["difference_stddev"] < 0.9 * posterior["exact"]["difference_stddev"]


def test_gap_of_two_gaussians_is_in_closed_form():
    mean, covariance = np.array([0.3, -0.2]), np.array([[0.4, -0.2], [-0.2, 0.3]])
    weights, cell = evidence.code_grid()
    off = weights - mean
    log_posterior = -0.5 * np.einsum("ni,ij,nj->n", off, np.linalg.inv(covariance), off)
    log_posterior -= np.log(2 * np.pi) + 0.5 * np.log(np.linalg.det(covariance))
    narrow = np.diag(1 / np.diag(np.linalg.inv(covariance)))
    closed = 0.5 * np.log(np.linalg.det(covariance) / np.linalg.det(narrow))
    assert mean_field.gap(mean, narrow, weights, cell, log_posterior) == pytest.approx(closed, abs=1e-5)
    assert mean_field.gap(mean, covariance, weights, cell, log_posterior) == pytest.approx(0, abs=1e-5)


def test_picture_of_mean_field_shows_both_gaussians_around_the_posterior(posterior):
    left, right = mean_field.draw(over_seeds.mean_and_stddev_of_each([posterior, posterior])).axes
    assert len(left.lines) == 2
    assert len(right.patches) == 8
    heights = [patch.get_height() for patch in right.patches[:2]]
    np.testing.assert_allclose(heights, posterior["mean_field"]["ratio"])


@pytest.fixture
def untrained(small_mnist):
    """A session, a Bayesian layer in it, and the share of training digits that have ink at each pixel."""
    with tf.Graph().as_default(), tf.Session() as session:
        model = bayesian_network.build_graph(2_000)
        session.run(tf.global_variables_initializer())
        yield session, model, doubt.share_of_ink(small_mnist["train"].images)


def test_noise_is_where_its_name_says(small_mnist):
    images = small_mnist["train"].images
    share = doubt.share_of_ink(images)
    assert share[14, 14] == np.mean([image[14, 14] > 0 for image in images])
    noise = doubt.make_noise(share, count=500)
    lit = {name: (of_kind > 0).mean(axis=0) for name, of_kind in noise.items()}
    assert (lit["noise"] > 0.99).all()
    assert ((lit["noise_on_inked"] > 0.99) == (share > 0.05)).all()
    assert ((lit["noise_on_blank"] > 0.99) == (images.sum(axis=0) == 0)).all()
    assert 50 < (lit["noise_on_blank"] > 0).sum() < (lit["noise_on_inked"] > 0).sum() < 784


def test_weights_of_blank_pixels_climb_to_the_prior_at_adams_pace(untrained, small_mnist):
    """Nothing but the divergence moves them: one number by Adam (Kingma, Ba 2014, algorithm 1) does as they do."""
    session, model, share = untrained
    train(session, model.optimize, small_mnist["train"], 5, model.images, model.label, batch_size=20)
    raw, first, second = -4.0, 0.0, 0.0
    for step in range(1, 501):
        stddev, slope = np.log1p(np.exp(raw)), 1 / (1 + np.exp(-raw))
        gradient = (stddev - 1 / stddev) * slope / 2_000  # of KL[N(mean, stddev^2) || N(0, 1)], an image's share
        first, second = 0.9 * first + 0.1 * gradient, 0.999 * second + 0.001 * gradient**2
        raw -= 1e-3 * first / (1 - 0.9**step) / (np.sqrt(second / (1 - 0.999**step)) + 1e-8)
    assert doubt.blank_stddev(session.run(model.stddev), share) == pytest.approx(np.log1p(np.exp(raw)), rel=1e-3)


def test_doubt_on_blank_pixels_is_that_of_their_weights_alone(untrained, small_mnist):
    session, model, share = untrained
    mean, stddev, bias = model.network.trainable_variables
    blank = np.tile((share == 0).reshape(784, 1), 10)
    stddev.load(inverse_softplus(np.where(blank, 0.5, 0.01)), session)
    bias.load(np.linspace(0, 1, 10), session)
    noise = doubt.make_noise(share, count=50)
    predict = functools.partial(bayesian_network.predict, session, model, draws=300)
    test = small_mnist["test"]
    measured = doubt.measure_predictor(predict, test.images, test.labels, noise)

    random, pixels = np.random.default_rng(1), noise["noise_on_blank"].reshape(50, 784)[:, blank[:, 0]]
    drawn = session.run(mean)[blank[:, 0]] + 0.5 * random.standard_normal((300, blank[:, 0].sum(), 10))
    probability = softmax(pixels @ drawn + np.linspace(0, 1, 10), axis=2)
    information = entropy(probability, probability.mean(axis=0), axis=2).mean()  # KL[a draw's answer || the average]
    assert measured["noise_on_blank"]["mutual_information_nats"] == pytest.approx(information, rel=0.1)
    assert measured["noise_on_blank"]["mutual_information_nats"] > 0.5
    assert measured["noise_on_inked"]["mutual_information_nats"] < 0.05 * information
    assert measured["accuracy"] == uncertainty.score(predict(test.images), test.labels)["accuracy"]


def test_ensemble_predicts_as_its_members_do(small_mnist, monkeypatch):
    images = small_mnist["test"].images
    monkeypatch.setattr(doubt, "EPOCHS", (1,))
    members = [doubt.train_point_estimate(small_mnist["train"], seed) for seed in (0, 1)]
    with tf.Graph().as_default(), tf.Session() as session:
        placeholder = tf.placeholder(tf.float32, [None, 28, 28])
        point = two_layers.build_point_estimate(placeholder, tf.placeholder(tf.int32, [None]))
        each = []
        for kernel, bias in members:
            point.kernel.load(kernel, session)
            point.bias.load(bias, session)
            each.append(two_layers.predict_point_estimate(session, point, images)[0])
    kernels, biases = (np.stack(arrays) for arrays in zip(*members, strict=True))
    np.testing.assert_allclose(doubt.predict_each(images, kernels, biases), each, atol=1e-5)
    assert np.abs(kernels[0] - kernels[1]).max() > 0.1


def test_doubt_of_a_seed_and_its_picture(on_small_mnist, monkeypatch):
    monkeypatch.setattr(doubt, "EPOCHS", (1, 2))
    monkeypatch.setattr(doubt, "MEMBERS", 2)
    numbers = doubt.measure(0)
    assert numbers["by_epoch"]["epoch"] == [1, 2]
    for name in ("digits", "noise", "noise_on_inked", "noise_on_blank"):
        assert numbers["bayesian"][name] == {key: column[-1] for key, column in numbers["by_epoch"][name].items()}
        assert numbers["point_estimate"][name]["mutual_information_nats"] == pytest.approx(0, abs=1e-6)
        assert numbers["ensemble"][name]["mutual_information_nats"] > 0
    upper, _, right = doubt.draw(over_seeds.mean_and_stddev_of_each([numbers, numbers])).axes
    assert len(upper.lines) >= 1
    assert len(right.patches) == 18
