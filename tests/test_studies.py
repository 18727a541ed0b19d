"""The studies over seeds: each one's identity by an independent computation, and what runs them."""

import json

import numpy as np
import pytest
from scipy.special import logsumexp
from scipy.stats import norm

from lecture10_vae import vae
from lecture10_vae.studies import amortization, bound_on_grid, evidence, evidence_by_epoch, gaps, gaussians, information
from lecture10_vae.studies.gaussians import Gaussian
from lecture10_vae.studies.training import train
from lecture10_vae.tf1 import tf
from lectures.source import studies


@pytest.fixture(scope="module")
def trained(small_mnist):
    """A session and the VAE in it, trained on 2,000 images; its graph is the default one."""
    with tf.Graph().as_default(), tf.Session() as session:
        model = vae.build_graph()
        train(session, model.optimize, small_mnist["train"], 40, model.images)
        yield session, model


@pytest.fixture(scope="module")
def images(small_mnist):
    return small_mnist["test"].images[:100]


@pytest.fixture(scope="module")
def encoder(trained, images):
    session, model = trained
    return amortization.encode(session, model, model.posterior, images)


def around(session, model, image, gaussian):
    """A fine grid around a Gaussian for the image, its cell, and ln P(x,z) on it."""
    codes, cell = evidence.code_grid(201, 8 * gaussian.stddev.max())
    codes = codes + gaussian.mean
    return codes, cell, evidence.log_joint(image[np.newaxis], *evidence.decode(session, model, codes))[0]


def test_gap_by_epoch_is_the_divergence_from_the_exact_posterior(trained, images, encoder):
    session, model = trained
    numbers = evidence_by_epoch.measure(session, model, images)
    codes, cell = evidence.code_grid(301, evidence.reach(encoder.mean))
    log_joint = evidence.log_joint(images, *evidence.decode(session, model, codes))
    log_exact = log_joint - logsumexp(log_joint, axis=1, keepdims=True) - np.log(cell)
    log_q = norm.logpdf(codes[:, np.newaxis], encoder.mean, encoder.stddev).sum(axis=-1).T
    divergence = (np.exp(log_q) * (log_q - log_exact)).sum(axis=1) * cell
    assert numbers["gap_nats"] == pytest.approx(divergence.mean(), abs=0.06)  # 10,000 samples of a stddev near 1.5
    assert numbers["gap_nats"] > 0.5
    assert numbers["log_likelihood_nats"] - numbers["bound_nats"] == numbers["gap_nats"]


def test_bound_by_gauss_hermite_is_the_bound_by_samples(trained, images, encoder):
    session, model = trained
    feed = {model.images: images}
    draws = np.array([gaps.average_bound(session, model, feed, 1, draw) for draw in range(400)])
    error = draws.std(axis=0) / 20
    difference = gaussians.bounds(session, model, images, encoder) - draws.mean(axis=0)
    assert np.abs(difference.mean()) < 4 * np.sqrt((error**2).sum()) / len(images)
    assert np.abs(difference / error).max() < 5


def test_refitting_comes_to_the_best_gaussian_that_scipy_finds_on_a_grid(trained, images, encoder):
    session, model = trained
    best = gaussians.refit(session, model, images[:8], Gaussian(*(part[:8] for part in encoder)), steps=30)
    reached = gaussians.bounds(session, model, images[:8], best, points=16)
    for image, bound, *gaussian in zip(images, reached, *best, strict=False):
        codes, cell, log_joint = around(session, model, image, Gaussian(*gaussian))
        lowest = log_joint.min()  # taken off, so that a Gaussian off the grid, whose sums are 0, is not the best
        best_bound = bound_on_grid.best_in_family(log_joint - lowest, codes, cell, False).bound + lowest
        assert bound == pytest.approx(best_bound, abs=0.02)


def test_refitting_raises_the_bound_and_leaves_the_other_part_alone(trained, images, encoder):
    session, model = trained
    bounds = {}
    for part, kept in (("mean", "stddev"), ("stddev", "mean")):
        refitted = gaussians.refit(session, model, images, encoder, (part,))
        np.testing.assert_array_equal(getattr(refitted, kept), getattr(encoder, kept))
        bounds[part] = gaussians.bounds(session, model, images, refitted).mean()
    both = gaussians.refit(session, model, images, encoder)
    bound = gaussians.bounds(session, model, images, encoder).mean()
    assert bound < min(bounds.values()) < max(bounds.values()) < gaussians.bounds(session, model, images, both).mean()


def test_start_at_the_highest_density_finds_no_worse_gaussians_than_one_at_the_encoders(trained, images, encoder):
    session, model = trained
    from_highest = amortization.refit_each(session, model, images, encoder)["both"]
    from_encoder = gaussians.refit(session, model, images, encoder)
    highest, encoders = (gaussians.bounds(session, model, images, each) for each in (from_highest, from_encoder))
    assert highest.mean() > encoders.mean() - 0.01
    half_width = evidence.reach(encoder.mean)
    assert (evidence.by_quadrature(session, model, images, half_width).log_likelihood - highest).mean() < 0.5


def test_shares_add_up_and_the_decoder_stays(trained, small_mnist, images, monkeypatch):
    session, model = trained
    monkeypatch.setattr(amortization, "EPOCHS", 2)
    monkeypatch.setattr(amortization, "EPOCHS_AFRESH", 2)
    variables = (model.decoder.trainable_variables, model.encoder.trainable_variables)
    decoder, encoder = session.run(variables)
    try:
        wide = tf.make_template("wide_encoder", vae.make_encoder, hidden_size=400)
        parts = {"train": small_mnist["train"].images[:100], "test": images}
        numbers = amortization.measure(session, model, wide, small_mnist["train"], parts)
        for before, after in zip(decoder, session.run(variables[0]), strict=True):
            np.testing.assert_array_equal(before, after)
        assert all(np.any(before != after) for before, after in zip(encoder, session.run(variables[1]), strict=True))
        assert wide.trainable_variables[0].shape == (784, 400)
    finally:
        for variable, value in zip(variables[1], encoder, strict=True):
            variable.load(value, session)
    gap = evidence_by_epoch.measure(session, model, images)["gap_nats"]
    assert sum(numbers["shares"].values()) == pytest.approx(gap, abs=0.05)
    assert numbers["test"]["gaps"]["encoder_nats"] > numbers["test"]["gaps"]["trained_on_nats"]
    assert numbers["shares"]["approximation_nats"] > 0
    gained = numbers["test"]["gained_by_refitting"]
    assert 0.1 < numbers["test"]["worst_tenth"] < 1
    assert gained["both_nats"] >= max(gained["means_nats"], gained["stddevs_nats"]) > 0
    assert numbers["test"]["gaps"]["best_nats"] == pytest.approx(
        numbers["test"]["gaps"]["encoder_nats"] - gained["both_nats"]
    )


def test_concentration_is_the_part_that_the_largest_have():
    assert amortization.concentration(np.array([1, 0, 5, 1, 1, 0, 1, 1, 0, 0])) == 0.5


def test_training_goes_on_from_the_values_there_are(small_mnist):
    with tf.Graph().as_default(), tf.Session() as session:
        kept, started = tf.Variable(1.0), tf.Variable(1.0)
        images = tf.placeholder(tf.float32, [None, 28, 28])
        total = tf.reduce_sum(images) * 0
        optimize = tf.group(*(variable.assign_add(1.0 + total) for variable in (kept, started)))
        kept.load(100.0, session)
        train(session, optimize, small_mnist["train"].first(200), 3, images)
        assert session.run([kept, started]) == [106.0, 7.0]  # two mini-batches an epoch


def test_mean_divergence_is_mutual_information_and_the_aggregates_divergence(trained, small_mnist):
    session, model = trained
    numbers = information.measure(session, model, small_mnist["test"].images)
    parts = numbers["mutual_information_nats"], numbers["aggregate_kl_nats"]
    assert sum(parts) == pytest.approx(numbers["mean_kl_nats"], abs=1e-3)
    assert min(parts) > 0.05
    assert numbers["kinds"] == pytest.approx(np.exp(parts[0]))


def test_mutual_information_is_that_of_samples(trained, small_mnist):
    session, model = trained
    images = small_mnist["test"].images
    mean, stddev = session.run([model.mean, model.stddev], {model.images: images})
    codes = mean + stddev * np.random.default_rng(0).standard_normal((10, *mean.shape))
    told = []
    for code in codes:
        log_q = sum(norm.logpdf(code[:, i, np.newaxis], mean[:, i], stddev[:, i]) for i in range(2))  # [codes, images]
        told.append(np.diag(log_q) - logsumexp(log_q, axis=1) + np.log(len(images)))
    error = np.std(told) / np.sqrt(np.size(told))
    assert information.split(mean, stddev)[0] == pytest.approx(np.mean(told), abs=4 * error)
    assert error < 0.02


def test_information_of_codes_that_tell_nothing_and_of_two_that_tell_all():
    mean, stddev = np.full([5, 2], [1.0, -2.0]), np.full([5, 2], [0.5, 0.1])
    closed = ((mean**2 + stddev**2 - 1) / 2 - np.log(stddev)).sum(axis=1)[0]
    assert information.split(mean, stddev) == pytest.approx((0, closed), abs=1e-6)
    apart = information.split(np.array([[-3.0, 0.0], [3.0, 0.0]]), np.full([2, 2], 0.1))
    assert apart[0] == pytest.approx(np.log(2), abs=1e-6)


CALLED = []


def measure_something(seed: int) -> dict:
    """Something of a seed."""
    CALLED.append(seed)
    if seed == 3:
        raise KeyboardInterrupt
    return {"twice": 2 * seed, "parts": {"by_epoch": [seed, seed**2]}}


@pytest.fixture
def something(tmp_path, monkeypatch):
    """The study above alone, in a folder of its own; the list of seeds that it is called with."""
    drawn = []
    monkeypatch.setattr(studies, "STUDIES", {"something": studies.Study(measure_something, drawn.append, (gaps,))})
    monkeypatch.setattr(studies, "RUNS", tmp_path)
    monkeypatch.setattr(studies.plotting, "save", lambda picture, path: None)
    CALLED.clear()
    return CALLED


def test_studies_numbers_become_mean_stddev_and_values(something):
    numbers = studies.main(seeds=3)["something"]
    assert numbers["twice"] == {"mean": 2, "stddev": 2, "values": [0, 2, 4]}
    assert numbers["parts"]["by_epoch"]["mean"] == pytest.approx([1, 5 / 3])
    assert numbers["parts"]["by_epoch"]["values"] == [[0, 0], [1, 1], [2, 4]]


def test_study_goes_on_where_it_was_stopped(something, tmp_path, capsys):
    with pytest.raises(KeyboardInterrupt):
        studies.main(seeds=5)
    assert sorted(path.name for path in (tmp_path / "something").iterdir()) == [
        f"seed-{seed}.json" for seed in range(3)
    ]
    assert "3/5 something, seed 2: Something of a seed." in capsys.readouterr().out
    something.clear()
    studies.main(seeds=3)
    assert something == []
    studies.path_of("something", 1).write_text("{")
    studies.main(seeds=3)
    assert something == [1]


def test_study_is_measured_anew_when_its_source_has_changed(something, monkeypatch):
    studies.main(seeds=2)
    studies.STUDIES["something"] = studies.STUDIES["something"]._replace(modules=(gaps, evidence))
    studies.main(seeds=2)
    assert something == [0, 1, 0, 1]
    kept = json.loads(studies.path_of("something", 0).read_text())
    assert {"measure_something in test_studies.py", "reach in evidence.py", "bounds in gaussians.py"} & set(
        kept["source"]
    ) == {"measure_something in test_studies.py", "reach in evidence.py"}


def test_time_that_is_left_is_that_of_the_other_seeds():
    kept = {("a", 0): {"seconds": 2}, ("a", 1): {"seconds": 4}, ("a", 2): None, ("b", 0): None, ("b", 1): None}
    assert studies.seconds_of_the_rest(kept) == 3 + 3 + 3
    assert studies.seconds_of_the_rest(kept | {("b", 0): {"seconds": 30}}) == 3 + 30


def test_study_that_does_not_exist_is_refused_with_the_names_there_are():
    with pytest.raises(studies.command_line.UserError, match="evidence_by_epoch, amortization"):
        studies.main(only="nonsense")


@pytest.mark.parametrize("name", studies.STUDIES)
def test_study_depends_on_its_own_files_source(name):
    study = studies.STUDIES[name]
    assert f"lecture10_vae.studies.{name}" in {module.__name__ for module in study.modules}
    assert study.draw.__module__ == f"lecture10_vae.pictures.{name}"
    assert studies.FIGURES.joinpath(f"study_{name}.png").exists()
