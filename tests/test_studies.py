"""What is measured of a trained VAE, once and over seeds: each identity by an independent computation."""

import numpy as np
import pytest
from scipy.special import logsumexp
from scipy.stats import norm

from lecture10_vae import vae
from lecture10_vae.beyond.experiments import amortization, evidence_by_epoch, information, over_seeds
from lecture10_vae.beyond.experiments import trained as trained_vae
from lecture10_vae.studies import bound_on_grid, evidence, gaussians
from lecture10_vae.studies.gaussians import Gaussian
from lecture10_vae.studies.training import train_epochs
from lecture10_vae.tf1 import tf
from lecture10_vae.utils.command_line import UserError
from lecture10_vae.utils.run import restore


@pytest.fixture(scope="module")
def trained(vae_run):
    """A session and the VAE of that run; measuring adds nothing to their graph, which is finished."""
    with tf.Graph().as_default(), tf.Session() as session:
        model = vae.build_graph()
        restore(session, vae_run.folder)
        session.graph.finalize()
        yield session, model


@pytest.fixture
def given_vae(vae_run, on_small_mnist, monkeypatch):
    """Lets the experiments take that VAE for the one of each seed, at two of its epochs, and few images."""
    monkeypatch.setattr(trained_vae, "vae_folder", lambda seed: vae_run.folder)
    monkeypatch.setattr(trained_vae, "EPOCHS", (0, 12))
    monkeypatch.setattr(trained_vae, "IMAGES", 20)


@pytest.fixture(scope="module")
def images(small_mnist):
    return small_mnist["test"].images[:20]


@pytest.fixture(scope="module")
def encoder(trained, images):
    session, model = trained
    return Gaussian(*session.run([model.mean, model.stddev], {model.images: images}))


def test_gap_is_the_divergence_from_the_exact_posterior(trained, images, encoder):
    session, model = trained
    numbers = evidence_by_epoch.measure_gap(session, model, images)
    codes, cell = evidence.code_grid(241, evidence.reach(encoder.mean))
    log_joint = evidence.log_joint(images, *evidence.decode(session, model, codes))
    log_likelihood = logsumexp(log_joint, axis=1, keepdims=True) + np.log(cell)
    log_q = norm.logpdf(codes[:, np.newaxis], encoder.mean, encoder.stddev).sum(axis=-1).T
    divergence = (np.exp(log_q) * (log_q - (log_joint - log_likelihood))).sum(axis=1) * cell
    assert numbers["gap_nats"] == pytest.approx(divergence.mean(), abs=0.03)
    assert numbers["gap_nats"] > 0.5
    assert numbers["log_likelihood_nats"] == pytest.approx(log_likelihood.mean(), abs=1e-3)


def test_bound_by_gauss_hermite_is_the_bound_by_samples(trained, images, encoder):
    session, model = trained
    draws = np.array([session.run(model.elbo, {model.images: images}) for _ in range(1_000)])
    error = draws.std(axis=0) / np.sqrt(1_000)
    difference = gaussians.bounds(session, model, images, encoder) - draws.mean(axis=0)
    assert np.abs(difference.mean()) < 4 * np.sqrt((error**2).sum()) / len(images)
    assert np.abs(difference / error).max() < 5


def test_refitting_comes_to_the_best_gaussian_that_scipy_finds_on_a_grid(trained, images, encoder):
    session, model = trained
    best = gaussians.refit(session, model, images[:3], Gaussian(*(part[:3] for part in encoder)), steps=30)
    reached = gaussians.bounds(session, model, images[:3], best, points=16)
    for image, bound, mean, stddev in zip(images, reached, *best, strict=False):
        codes, cell = evidence.code_grid(201, 8 * stddev.max())
        log_joint = evidence.log_joint(image[np.newaxis], *evidence.decode(session, model, codes + mean))[0]
        lowest = log_joint.min()  # taken off, so that a Gaussian off the grid, whose sums are 0, is not the best
        best_bound = bound_on_grid.best_in_family(log_joint - lowest, codes + mean, cell, False).bound + lowest
        assert bound == pytest.approx(best_bound, abs=0.02)


def test_refitting_more_raises_the_bound_more(trained, images, encoder):
    session, model = trained
    refitted = {part: gaussians.refit(session, model, images, encoder, (part,)) for part in ("mean", "stddev")}
    np.testing.assert_array_equal(refitted["mean"].stddev, encoder.stddev)
    np.testing.assert_array_equal(refitted["stddev"].mean, encoder.mean)
    ways = [encoder, *refitted.values(), gaussians.refit(session, model, images, encoder)]
    ways.append(amortization.refit_each(session, model, images, encoder)["both"])  # from the highest density on
    each = np.array([gaussians.bounds(session, model, images, way) for way in ways])
    before, mean, stddev, both, from_highest = each.mean(axis=1)
    assert before < min(mean, stddev) < max(mean, stddev) < both < from_highest + 0.01
    log_likelihood = evidence.by_quadrature(session, model, images, evidence.reach(encoder.mean)).log_likelihood
    assert (log_likelihood - each[-1]).mean() < 0.5


def test_encoder_is_trained_on_at_a_rate_that_falls_to_0_and_the_decoder_stays(vae_run, small_mnist):
    images = small_mnist["train"].images
    with tf.Graph().as_default(), tf.Session() as session:
        model = vae.build_graph()
        restore(session, vae_run.folder)
        _, optimize = amortization.build_training(model, model.encoder, steps=40)
        weights = [*model.decoder.trainable_variables, *model.encoder.trainable_variables]
        before, bound = session.run(weights), vae.evaluate(session, model, images)["elbo"]
        trainer = train_epochs(session, optimize, small_mnist["train"], 3, model.images)  # of 20 steps
        _, after, still = (session.run(weights) for _ in trainer)
        assert vae.evaluate(session, model, images)["elbo"] > bound
    changed = [(old != new).any() for old, new in zip(before, after, strict=True)]
    assert changed == 4 * [False] + 6 * [True]
    for one, other in zip(after, still, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-7)


def test_shares_add_up_to_the_gap(given_vae, trained, images, monkeypatch):
    monkeypatch.setattr(amortization, "EPOCHS", 0)  # encoders as they are
    for name, (units, _, rate) in amortization.FRESH.items():
        monkeypatch.setitem(amortization.FRESH, name, (units, 0, rate))
    numbers = amortization.measure(0)
    gap = evidence_by_epoch.measure_gap(*trained, images)["gap_nats"]
    assert sum(numbers["shares"].values()) == pytest.approx(gap, abs=0.01)
    gaps, gained = numbers["test"]["gaps"], numbers["test"]["gained_by_refitting"]
    assert gaps["wide_nats"] > gaps["encoder_nats"] + 20  # without any training
    assert gaps["best_nats"] == pytest.approx(gaps["encoder_nats"] - gained["both_nats"])
    assert gained["both_nats"] >= max(gained["means_nats"], gained["stddevs_nats"]) > 0
    assert amortization.concentration(np.array([1, 0, 5, 1, 1, 0, 1, 1, 0, 0])) == 0.5  # of ten, that is the largest
    upper, _ = amortization.draw(over_seeds.mean_and_stddev_of_each([numbers, numbers])).axes
    assert sum(bar.get_width() for bar in upper.patches) == pytest.approx(gap, abs=0.01)


def test_a_share_is_the_mean_over_all_orders():
    names = ("encoder", "narrow_short", "narrow", "wide_short", "wide", "best")
    test = {f"{name}_nats": value for name, value in zip(names, (12, 10, 8, 7, 4, 1), strict=True)}
    train = {f"{name}_nats": value for name, value in zip(names, (5.5, 6, 5, 5, 3.5, 0.5), strict=True)}
    numbers = amortization.shares(train, test)
    # Below the best Gaussian: 9, 7, 6, 3 on test images and 5.5, 4.5, 4.5, 3 on training images
    assert numbers["first"] == {"optimization_nats": 2, "width_nats": 3, "generalization_nats": 3.5}
    assert numbers["last"] == {"optimization_nats": 1.5, "width_nats": 1.5, "generalization_nats": 0}
    steps = (2 + 2 + 3 + 1.5 + 1 + 1.5) / 6  # first, first, after width, last, after generalization, last
    assert numbers["shares"]["optimization_nats"] == pytest.approx(steps)
    assert numbers["shares"]["along_nats"] == 2
    assert sum(numbers["shares"].values()) == pytest.approx(12)


def test_mutual_information_is_that_of_samples_and_a_part_of_the_mean_divergence(trained, small_mnist):
    session, model = trained
    images = small_mnist["test"].images
    numbers = information.measure_information(session, model, images)
    parts = numbers["mutual_information_nats"], numbers["aggregate_kl_nats"]
    assert sum(parts) == pytest.approx(numbers["mean_kl_nats"], abs=1e-3)
    assert min(parts) > 0.05
    mean, stddev = session.run([model.mean, model.stddev], {model.images: images})
    codes = mean + stddev * np.random.default_rng(0).standard_normal((10, *mean.shape))
    told = []
    for code in codes:
        log_q = sum(norm.logpdf(code[:, i, np.newaxis], mean[:, i], stddev[:, i]) for i in range(2))  # [codes, images]
        told.append(np.diag(log_q) - logsumexp(log_q, axis=1) + np.log(len(images)))
    error = np.std(told) / np.sqrt(np.size(told))
    assert parts[0] == pytest.approx(np.mean(told), abs=4 * error)
    assert error < 0.02


def test_information_of_codes_that_tell_nothing_and_of_two_that_tell_all():
    mean, stddev = np.full([5, 2], [1.0, -2.0]), np.full([5, 2], [0.5, 0.1])
    closed = ((mean**2 + stddev**2 - 1) / 2 - np.log(stddev)).sum(axis=1)[0]
    assert information.split(mean, stddev) == pytest.approx((0, closed), abs=1e-6)
    apart = information.split(np.array([[-3.0, 0.0], [3.0, 0.0]]), np.full([2, 2], 0.1))
    assert apart[0] == pytest.approx(np.log(2), abs=1e-6)


def test_numbers_by_epoch_are_those_of_the_weights_after_it(given_vae, trained, images, small_mnist):
    gaps, codes = evidence_by_epoch.measure(0), information.measure(0)
    last = {name: by_epoch[1] for name, by_epoch in (gaps["test"] | codes["test"]).items()}
    expected = evidence_by_epoch.measure_gap(*trained, images)
    expected |= information.measure_information(*trained, small_mnist["test"].images)
    assert last == pytest.approx(expected, rel=1e-5)
    assert gaps["test"]["bound_nats"][0] == pytest.approx(-544, abs=10)  # of the untrained model
    for experiment, numbers in ((evidence_by_epoch, gaps), (information, codes)):
        assert experiment.draw(over_seeds.mean_and_stddev_of_each([numbers, numbers])).axes


def test_vae_of_a_seed_is_trained_once_and_not_if_it_was_stopped(tmp_path, monkeypatch):
    asked = []
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(vae, "main", lambda **flags: asked.append(flags))
    folder = trained_vae.vae_folder(3)
    folder.mkdir(parents=True)
    with pytest.raises(UserError, match="vae_seed_3"):
        trained_vae.vae_folder(3)
    (folder / "results.json").touch()
    assert trained_vae.vae_folder(3) == folder
    assert asked == [{"seed": 3, "logdir": folder}]
