"""What is measured of a trained VAE, once and over seeds: each identity by an independent computation."""

import numpy as np
import pytest
from scipy.special import logsumexp
from scipy.stats import norm

from lecture10_vae import vae
from lecture10_vae.experiments import amortization, evidence_by_epoch, information, over_seeds
from lecture10_vae.experiments import trained as trained_vae
from lecture10_vae.studies import bound_on_grid, evidence, gaussians
from lecture10_vae.studies.gaussians import Gaussian
from lecture10_vae.studies.training import train
from lecture10_vae.tf1 import tf
from lecture10_vae.utils.command_line import UserError


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """For the weights of the VAE below, as of a run: untrained, as after epoch 0, and trained, as after 1."""
    return tmp_path_factory.mktemp("vae")


@pytest.fixture(scope="module")
def trained(small_mnist, folder):
    """A session and the VAE in it, trained on 2,000 images; its graph is the default one."""
    with tf.Graph().as_default(), tf.Session() as session:
        model = vae.build_graph()
        saver = tf.train.Saver()
        session.run(tf.global_variables_initializer())
        saver.save(session, str(folder / "weights"), 0)
        train(session, model.optimize, small_mnist["train"], 40, model.images)
        saver.save(session, str(folder / "weights"), 1)
        yield session, model


@pytest.fixture
def given_vae(trained, folder, on_small_mnist, monkeypatch):
    """Lets the experiments take the VAE above for that of each seed, after "epochs" 0 and 1, and few images."""
    monkeypatch.setattr(trained_vae, "vae_folder", lambda seed: folder)
    monkeypatch.setattr(trained_vae, "EPOCHS", (0, 1))
    monkeypatch.setattr(trained_vae, "IMAGES", 20)


@pytest.fixture(scope="module")
def images(small_mnist):
    return small_mnist["test"].images[:50]


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
    numbers = evidence_by_epoch.measure_gap(session, model, images)
    codes, cell = evidence.code_grid(301, evidence.reach(encoder.mean))
    log_joint = evidence.log_joint(images, *evidence.decode(session, model, codes))
    log_exact = log_joint - logsumexp(log_joint, axis=1, keepdims=True) - np.log(cell)
    log_q = norm.logpdf(codes[:, np.newaxis], encoder.mean, encoder.stddev).sum(axis=-1).T
    divergence = (np.exp(log_q) * (log_q - log_exact)).sum(axis=1) * cell
    assert numbers["gap_nats"] == pytest.approx(divergence.mean(), abs=0.03)
    assert numbers["gap_nats"] > 0.5
    assert numbers["log_likelihood_nats"] == pytest.approx(
        (logsumexp(log_joint, axis=1) + np.log(cell)).mean(), abs=1e-3
    )


def test_bound_by_gauss_hermite_is_the_bound_by_samples(trained, images, encoder):
    session, model = trained
    feed = {model.images: images}
    draws = np.array([session.run(model.elbo, feed) for _ in range(400)])
    error = draws.std(axis=0) / 20
    difference = gaussians.bounds(session, model, images, encoder) - draws.mean(axis=0)
    assert np.abs(difference.mean()) < 4 * np.sqrt((error**2).sum()) / len(images)
    assert np.abs(difference / error).max() < 5


def test_refitting_comes_to_the_best_gaussian_that_scipy_finds_on_a_grid(trained, images, encoder):
    session, model = trained
    best = gaussians.refit(session, model, images[:5], Gaussian(*(part[:5] for part in encoder)), steps=30)
    reached = gaussians.bounds(session, model, images[:5], best, points=16)
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


def test_encoder_is_trained_on_and_the_decoder_stays(trained, small_mnist):
    session, model = trained
    data = small_mnist["train"]
    variables = (model.decoder.trainable_variables, model.encoder.trainable_variables)
    decoder, encoder = session.run(variables)
    bound = vae.evaluate(session, model, data.images)["elbo"]
    try:
        _, optimize = amortization.build_training(model, model.encoder, steps=40)
        train(session, optimize, data, 2, model.images)
        for before, after in zip(decoder, session.run(variables[0]), strict=True):
            np.testing.assert_array_equal(before, after)
        assert all(np.any(before != after) for before, after in zip(encoder, session.run(variables[1]), strict=True))
        assert vae.evaluate(session, model, data.images)["elbo"] > bound
        after = session.run(variables[1])
        train(session, optimize, data, 1, model.images)  # at a rate that has fallen to 0
        for before, now in zip(after, session.run(variables[1]), strict=True):
            np.testing.assert_allclose(before, now, atol=1e-7)
    finally:
        for variable, value in zip(variables[1], encoder, strict=True):
            variable.load(value, session)


def test_shares_add_up_to_the_gap(given_vae, trained, small_mnist, monkeypatch):
    session, model = trained
    monkeypatch.setattr(amortization, "EPOCHS", 0)  # encoders as they are
    monkeypatch.setattr(amortization, "EPOCHS_AFRESH", 0)
    numbers = amortization.measure(0)
    gap = evidence_by_epoch.measure_gap(session, model, small_mnist["test"].images[:20])["gap_nats"]
    assert sum(numbers["shares"].values()) == pytest.approx(gap, abs=0.01)
    gaps, gained = numbers["test"]["gaps"], numbers["test"]["gained_by_refitting"]
    assert gaps["trained_on_nats"] == pytest.approx(gaps["encoder_nats"])
    assert gaps["wide_nats"] > gaps["encoder_nats"] + 20  # without any training
    assert gaps["best_nats"] == pytest.approx(gaps["encoder_nats"] - gained["both_nats"])
    assert gaps["best_nats"] > 0
    assert 0.1 < numbers["test"]["worst_tenth"] < 1
    assert gained["both_nats"] >= max(gained["means_nats"], gained["stddevs_nats"]) > 0
    upper, lower = amortization.draw(over_seeds.mean_and_stddev_of_each([numbers, numbers])).axes
    assert sum(bar.get_width() for bar in upper.patches) == pytest.approx(gap, abs=0.01)
    assert len(lower.patches) == 3


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
    numbers = information.measure_information(session, model, small_mnist["test"].images)
    parts = numbers["mutual_information_nats"], numbers["aggregate_kl_nats"]
    assert sum(parts) == pytest.approx(numbers["mean_kl_nats"], abs=1e-3)
    assert min(parts) > 0.05


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


def test_measuring_adds_nothing_to_the_graph(trained, images, encoder):
    session, model = trained
    before = len(session.graph.get_operations())
    for _ in range(2):
        evidence.measure(session, model, images[:20])
        evidence.by_importance(session, model, images[:20], draws=2)
        evidence_by_epoch.measure_gap(session, model, images[:20])
        information.measure_information(session, model, images)
        encoders = Gaussian(*(part[:20] for part in encoder))
        amortization.measure_part(session, model, images[:20], {"encoder": encoders})
    assert len(session.graph.get_operations()) == before


def test_numbers_by_epoch_are_those_of_the_weights_after_it(given_vae, trained, small_mnist, tmp_path):
    session, model = trained
    images = small_mnist["test"].images
    gaps = evidence_by_epoch.measure(0)
    last = evidence_by_epoch.measure_gap(session, model, images[:20])
    assert gaps["epochs"] == (0, 1)
    assert {name: by_epoch[1] for name, by_epoch in gaps["test"].items()} == pytest.approx(last, rel=1e-5)
    assert gaps["test"]["bound_nats"][0] == pytest.approx(-544, abs=10)  # of the untrained model
    _, right = evidence_by_epoch.draw(over_seeds.mean_and_stddev_of_each([gaps, gaps])).axes
    assert right.lines[0].get_ydata()[-1] == pytest.approx(last["gap_nats"], rel=1e-5)
    numbers = information.main(seeds=2, logdir=tmp_path)
    for name, value in information.measure_information(session, model, images).items():
        assert numbers["test"][name]["values"][1][1] == pytest.approx(value, rel=1e-5)
    assert (tmp_path / "information.png").stat().st_size > 10_000


def test_vae_of_a_seed_is_trained_once_and_not_if_it_was_stopped(tmp_path, monkeypatch):
    asked = []

    def train_it(seed, logdir):
        asked.append(seed)
        logdir.mkdir(parents=True)
        (logdir / "results.json").touch()

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(vae, "main", train_it)
    assert trained_vae.vae_folder(3) == trained_vae.vae_folder(3)
    assert asked == [3]
    (trained_vae.vae_folder(3) / "results.json").unlink()
    with pytest.raises(UserError, match="vae_seed_3"):
        trained_vae.vae_folder(3)
