"""The experiments over seeds, but for the VAE's (test_studies.py): each against an independent computation."""

import functools
import json

import numpy as np
import pytest
from matplotlib.image import imread
from scipy.integrate import dblquad
from scipy.optimize import minimize_scalar
from scipy.special import expit, softmax
from scipy.stats import entropy, multivariate_normal, norm

from lecture10_vae import bayesian_network, lower_bound
from lecture10_vae.beyond.experiments import doubt, gradients, learned_stddev, mean_field, over_seeds, two_layers
from lecture10_vae.studies import bound_on_grid, evidence, uncertainty
from lecture10_vae.studies.gaps import inverse_softplus
from lecture10_vae.studies.training import train
from lecture10_vae.tf1 import tf, tfd
from lecture10_vae.utils import mnist, plotting


def test_what_was_measured_is_kept_until_it_is_deleted_and_becomes_mean_stddev_and_values(tmp_path, capsys):
    folder, measured = tmp_path / "new" / "something", []

    def measure(seed):
        """Something of a seed."""
        measured.append(seed)
        if seed == 3:
            raise KeyboardInterrupt
        return {"twice": np.float32(2 * seed), "parts": {"by_epoch": np.array([seed, seed**2])}}

    def draw(numbers):
        return plotting.draw_images(np.full([1, 28, 28], numbers["twice"]["mean"] / 10))

    with pytest.raises(KeyboardInterrupt):
        over_seeds.run(measure, draw, "something", 5, folder)
    files = [folder / f"seed_{seed}.json" for seed in range(3)]
    assert sorted(folder.iterdir()) == files
    files[1].unlink()
    numbers = over_seeds.run(measure, draw, "something", 3, folder)
    assert measured == [0, 1, 2, 3, 1]
    assert str(files[2]) in capsys.readouterr().out
    assert numbers["twice"] == {"mean": 2, "stddev": 2, "values": [0, 2, 4]}
    assert numbers["parts"]["by_epoch"]["mean"] == pytest.approx([1, 5 / 3])
    assert json.loads((folder / "results.json").read_text()) == numbers
    assert imread(folder / "something.png").mean() == pytest.approx(0.8, abs=0.2)


def drawn(experiment, numbers):
    """The axes of a picture of two seeds' equal numbers, which is drawn."""
    picture = experiment.draw(over_seeds.mean_and_stddev_of_each([numbers] * 2))
    picture.draw_without_rendering()
    return picture.axes


@pytest.fixture(scope="module", params=[False, True], ids=["diagonal", "full"])
def walked(request):
    """A session and the model after 150 steps, half way to the posterior; and what is measured there."""
    with tf.Graph().as_default(), tf.Session() as session:
        model = lower_bound.build_graph(full_covariance=request.param)
        built = gradients.build_gradients(model)
        session.run(tf.global_variables_initializer())
        for _ in range(150):
            session.run(model.optimize)
        session.graph.finalize()  # measuring adds nothing to it
        yield session, model, gradients.compare(session, model, built)


def test_gradient_estimates_agree_with_the_grids_in_the_mean(walked):
    session, model, compared = walked
    exact = np.array(compared["exact"])
    for name in gradients.ESTIMATES:
        off = np.abs(np.subtract(compared[f"{name}_mean"], exact))
        assert (off < 4.5 * np.array(compared[f"{name}_error"])).all(), name

    # The integral's own derivative, by finite differences of the bound by quadrature.
    differences = []
    for variable in tf.trainable_variables():
        value = session.run(variable)
        for step in 0.01 * np.eye(value.size).reshape(-1, *value.shape):
            bounds = []
            for moved in (value + step, value - step):
                variable.load(moved, session)
                bounds.append(bound_on_grid.measure(session, model, *evidence.code_grid())["bound"])
            differences.append((bounds[0] - bounds[1]) / 0.02)
        variable.load(value, session)
    np.testing.assert_allclose(exact, differences, atol=0.01)


def test_noise_of_the_score_function_is_that_of_the_grid(walked):
    """Its variance E[(f - b)^2 g^2] - E[(f - b) g]^2 by quadrature, with d ln Q(z), here called g, written out."""
    session, model, compared = walked
    codes, cell = evidence.code_grid()
    _, log_joint, log_posterior = bound_on_grid.log_densities(session, model, codes)
    mass, value = np.exp(log_posterior) * cell, (log_joint - log_posterior)[:, np.newaxis]
    mean, covariance = session.run([model.mean, model.covariance])
    score = (codes - mean) @ np.linalg.inv(covariance)  # in the mean, which both families have in common
    baseline = mass @ (score**2 * value) / (mass @ score**2)
    for name, weighted in (("score", value * score), ("score_with_baseline", (value - baseline) * score)):
        by_grid = mass @ weighted**2 - (mass @ weighted) ** 2
        np.testing.assert_allclose(compared[f"{name}_variance"][:2], by_grid, rtol=0.3)
    assert np.less(compared["score_with_baseline_variance"], compared["score_variance"]).all()


def test_noise_goes_where_q_is_the_posterior(monkeypatch):
    """There ln P(x,z) - ln Q(z) is ln P(x) for all z; the last form keeps the noise of ln P(x|z), in closed form."""
    variance = np.array([1.0, 0.25])  # of x = z + noise, the prior of z being N(0, I)
    monkeypatch.setattr(lower_bound, "make_decoder", lambda code: tfd.MultivariateNormalDiag(code, [1.0, 0.5]))
    monkeypatch.setattr(gradients, "FAMILIES", {"mean_field": False})
    monkeypatch.setattr(gradients, "DRAWS", 1_500)
    measured = gradients.measure(0)
    numbers = measured["mean_field"]["best"]
    np.testing.assert_allclose(numbers["path_without_score_variance"], 0, atol=1e-4)
    np.testing.assert_allclose(numbers["score_with_baseline_variance"], 0, atol=1e-3)
    assert min(numbers["path_variance"] + numbers["path_of_first_form_variance"]) > 0.1
    np.testing.assert_allclose(numbers["score_ratio"], np.divide(numbers["score_variance"], numbers["path_variance"]))
    second, last = numbers["form_variance"]
    assert second == pytest.approx(0, abs=1e-4)
    posterior = variance / (1 + variance)  # the variance of z given x
    error = lower_bound.OBSERVATION * (1 - posterior / variance)  # x less the posterior's mean
    closed = (error**2 * posterior / variance**2 + posterior**2 / variance**2 / 2).sum()
    assert last == pytest.approx(closed, rel=0.15)
    stddevs = drawn(gradients, measured)[1].lines[0].get_ydata()
    np.testing.assert_allclose(stddevs, np.sqrt(numbers["score_variance"]))


def test_learned_stddevs_and_the_best_constant_one_are_those_of_scipy(on_small_mnist, monkeypatch):
    measure_network = learned_stddev.measure_network

    def check(session, model, data, test):
        numbers = measure_network(session, model, data, test)
        fitted = np.float64(session.run(model.mean, {model.images: data.images}))
        mean, stddev = np.float64(session.run([model.mean, model.stddev], {model.images: test.images}))
        fitted_to, label = np.eye(10)[data.labels], np.eye(10)[test.labels]
        search = {"bounds": (0.05, 2), "options": {"xatol": 1e-8}}
        best = minimize_scalar(lambda stddev: -norm.logpdf(fitted_to, fitted, stddev).sum(), **search).x
        by_hand = {
            "accuracy": np.mean(mean.argmax(axis=1) == test.labels),
            "log_prob_nats": norm.logpdf(label, mean, stddev).sum(axis=1).mean(),
            "constant_stddev": best,
            "constant_log_prob_nats": norm.logpdf(label, mean, best).sum(axis=1).mean(),
            "least_stddev": stddev.min(),
            "median_stddev": np.median(stddev),
            "ceiling_nats": 10 * norm.logpdf(0, 0, stddev.min()),
        }
        assert numbers == pytest.approx(by_hand, rel=1e-5, abs=1e-4)
        assert numbers["constant_log_prob_nats"] > norm.logpdf(label, mean, 1).sum(axis=1).mean() + 3
        return numbers

    networks = {name: learned_stddev.NETWORKS[name] for name in ("constant", "learned_low_floor")}
    for name, value in (("NETWORKS", networks), ("EPOCHS", 10), ("measure_network", check)):
        monkeypatch.setattr(learned_stddev, name, value)
    measured = learned_stddev.measure(0)
    assert measured["constant"]["least_stddev"] == 1
    assert 0.05 < measured["learned_low_floor"]["least_stddev"] < 0.2
    rows = dict.fromkeys(("constant", "learned", "learned_middle_floor", "learned_low_floor"), measured["constant"])
    assert drawn(learned_stddev, rows)[0].lines[0].get_xdata() == [measured["constant"]["log_prob_nats"]]


def test_two_layers_numbers_are_on_the_same_images(on_small_mnist, tmp_path, monkeypatch):
    for name, value in (("EPOCHS", 0), ("DRAWS", 2), ("DEGREES", [0, 90])):
        monkeypatch.setattr(two_layers, name, value)
    numbers = two_layers.measure(0)
    for name, tolerance in (("bayesian", 0.05), ("point_estimate", 1e-6)):  # draws differ
        upright, turned = (numbers["unfamiliar"][name][images] for images in ("test digits", "turned by 90 degrees"))
        rotation, expected = numbers["rotation"][name], [upright["entropy_nats"], turned["entropy_nats"]]
        assert rotation["entropy_nats"] == pytest.approx(expected, abs=tolerance)
        assert rotation["accuracy"][0] == pytest.approx(numbers[name]["accuracy"], abs=tolerance)
    assert drawn(two_layers, numbers)
    two_layers.draw_more(over_seeds.mean_and_stddev_of_each([numbers] * 2), tmp_path)
    for name in ("rotation", "pruning"):
        assert imread(tmp_path / f"{name}.png").std() > 0.05


@pytest.fixture(scope="module")
def two_pixels():
    """Inputs and labels, and what is measured of the posterior of their weights."""
    given = mean_field.two_pixels(mnist.load("train"))
    return *given, mean_field.measure_posterior(*given)


def test_exact_posterior_is_that_of_adaptive_quadrature(two_pixels):
    inputs, labels, posterior = two_pixels

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
def test_gradient_ascent_finds_the_gaussian_with_the_best_bound(two_pixels, name):
    inputs, labels, posterior = two_pixels
    weights, cell = evidence.code_grid()
    log_joint = mean_field.log_joint(weights, inputs, labels)
    best = bound_on_grid.best_in_family(log_joint, weights, cell, mean_field.FAMILIES[name])
    by_grid, by_ascent = mean_field.moments(best.mean, best.covariance), posterior[name]
    for key in ("weight_mean", "weight_stddev", "correlation", "sum_stddev", "difference_stddev"):
        np.testing.assert_allclose(by_ascent[key], by_grid[key], atol=0.01)
    # ln P(labels|inputs) is the bound and the gap, each from its own formula
    assert best.bound + by_ascent["gap_nats"] == pytest.approx(posterior["log_evidence_nats"], abs=2e-3)


def test_mean_field_is_too_narrow_by_the_closed_form_and_the_full_covariance_is_not(two_pixels):
    *_, posterior = two_pixels
    narrow, full = posterior["mean_field"], posterior["full_covariance"]
    assert posterior["correlation"] < -0.4  # the pixels have ink together
    np.testing.assert_allclose(narrow["ratio"], posterior["predicted_ratio"], rtol=0.06)
    assert max(narrow["ratio"]) < 0.9
    np.testing.assert_allclose(full["ratio"], 1, atol=0.04)
    assert narrow["gap_nats"] > 3 * full["gap_nats"] > 0
    # What the data tell best, the sum, it doubts too much; what they tell least, the difference, too little.
    assert narrow["sum_stddev"] > 1.1 * posterior["exact"]["sum_stddev"]
    assert narrow["difference_stddev"] < 0.9 * posterior["exact"]["difference_stddev"]
    _, right = drawn(mean_field, posterior)
    np.testing.assert_allclose([patch.get_height() for patch in right.patches[:2]], narrow["ratio"])


def test_gap_of_two_gaussians_is_in_closed_form():
    mean, covariance = np.array([0.3, -0.2]), np.array([[0.4, -0.2], [-0.2, 0.3]])
    weights, cell = evidence.code_grid()
    log_posterior = multivariate_normal(mean, covariance).logpdf(weights)
    narrow = np.diag(1 / np.diag(np.linalg.inv(covariance)))
    closed = 0.5 * np.log(np.linalg.det(covariance) / np.linalg.det(narrow))
    assert mean_field.gap(mean, narrow, weights, cell, log_posterior) == pytest.approx(closed, abs=1e-5)
    assert mean_field.gap(mean, covariance, weights, cell, log_posterior) == pytest.approx(0, abs=1e-5)


@pytest.fixture
def untrained(small_mnist):
    """A session, a Bayesian layer in it, and the share of training digits that have ink at each pixel."""
    with tf.Graph().as_default(), tf.Session() as session:
        model = bayesian_network.build_graph(2_000)
        session.run(tf.global_variables_initializer())
        yield session, model, doubt.share_of_ink(small_mnist["train"].images)


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
    test = small_mnist["test"].first(100)
    measured = doubt.measure_predictor(predict, test.images, test.labels, noise)

    random, pixels = np.random.default_rng(1), noise["noise_on_blank"].reshape(50, 784)[:, blank[:, 0]]
    weights = session.run(mean)[blank[:, 0]] + 0.5 * random.standard_normal((300, blank[:, 0].sum(), 10))
    probability = softmax(pixels @ weights + np.linspace(0, 1, 10), axis=2)
    information = entropy(probability, probability.mean(axis=0), axis=2).mean()  # KL[a draw's answer || the average]
    assert measured["noise_on_blank"]["mutual_information_nats"] == pytest.approx(information, rel=0.1)
    assert measured["noise_on_blank"]["mutual_information_nats"] > 0.5
    assert measured["noise_on_inked"]["mutual_information_nats"] < 0.05 * information
    assert measured["accuracy"] == uncertainty.score(predict(test.images), test.labels)["accuracy"]


def test_doubt_of_a_seed_is_by_epoch_and_of_an_ensemble_that_differs(on_small_mnist, monkeypatch):
    monkeypatch.setattr(doubt, "EPOCHS", (1, 2))
    monkeypatch.setattr(doubt, "MEMBERS", 2)
    numbers = doubt.measure(0)
    assert numbers["by_epoch"]["epoch"] == [1, 2]
    for name in ("digits", "noise", "noise_on_inked", "noise_on_blank"):
        assert numbers["bayesian"][name] == {key: column[-1] for key, column in numbers["by_epoch"][name].items()}
        assert numbers["point_estimate"][name]["mutual_information_nats"] == pytest.approx(0, abs=1e-6)
        assert numbers["ensemble"][name]["mutual_information_nats"] > 0
    assert len(drawn(doubt, numbers)[-1].patches) == 18
