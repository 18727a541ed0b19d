"""A step for each mini-batch, compiled or not, trains as the step itself does in the course's loop; edits show."""

import runpy
import sys
from pathlib import Path

import numpy as np
import pytest

from lecture10_vae import bayesian_network, classification, regression, vae, variational_inference
from lecture10_vae.each_batch import each_batch
from lecture10_vae.tf1 import tf
from lecture10_vae.utils import command_line, mnist

both = pytest.mark.parametrize("plain", [False, True], ids=["compiled", "plain"])


def noise_of(step):
    """The tensors of Gaussian noise that an operation needs."""
    nodes = tf.graph_util.extract_sub_graph(step.graph.as_graph_def(), [step.name]).node
    return [step.graph.get_tensor_by_name(f"{node.name}:0") for node in nodes if node.op == "RandomStandardNormal"]


@pytest.mark.parametrize("script", [regression, classification, vae, variational_inference, bayesian_network])
def test_compiled_plain_and_the_courses_loop_train_alike(script, session, small_mnist):
    """To rounding, with the same noise."""
    model = script.build_graph(500) if script is variational_inference else script.build_graph()
    placeholders = [value for value in vars(model).values() if isinstance(value, tf.Tensor)]
    placeholders = [tensor for tensor in placeholders if tensor.op.type == "Placeholder"]
    data = small_mnist["train"].first(500)
    labels = np.arange(500) if script is variational_inference else data.labels
    feed = dict(zip(placeholders, (data.images, labels), strict=False))  # the VAE takes no labels
    feeds = [{tensor: array[start : start + 100] for tensor, array in feed.items()} for start in range(0, 500, 100)]
    compiled, plain = (each_batch(model.optimize, 100, placeholders, plain) for plain in (False, True))
    session.run(tf.global_variables_initializer())
    start = session.run(tf.global_variables())

    noises = [noise_of(step) for step in (model.optimize, compiled, plain)]
    assert [len(noise) for noise in noises] == [int(script not in (regression, classification))] * 3
    shapes = [session.run(tf.shape(noise), feeds[0]) for noise in noises[0]]
    draws = [np.random.default_rng(0).standard_normal([5, *shape]) for shape in shapes]

    def with_noise(feed, noise, chosen):
        return feed | dict(zip(noise, (draw[chosen] for draw in draws), strict=True))

    ways = [
        [(model.optimize, with_noise(feed, noises[0], i)) for i, feed in enumerate(feeds)],
        [(compiled, with_noise(feed, noises[1], slice(None)))],
        [(plain, with_noise(feed, noises[2], slice(None)))],
    ]

    def train(calls):
        """The values of all variables after some calls from the same start."""
        for variable, value in zip(tf.global_variables(), start, strict=True):
            variable.load(value, session)
        for operation, feed in calls:
            session.run(operation, feed)
        return session.run(tf.global_variables())

    trained, *others = map(train, ways)
    assert all((before != after).any() for before, after in zip(start, trained, strict=True))
    for other in others:
        for one, another in zip(trained, other, strict=True):
            np.testing.assert_allclose(one, another, rtol=1e-4, atol=1e-5)


@both
def test_values_and_steps_of_a_fed_rate_are_those_of_gradient_descent_by_hand(session, plain):
    random = np.random.default_rng(0)
    inputs, targets = random.normal(size=(60, 3)).astype(np.float32), random.normal(size=60).astype(np.float32)
    x, y = tf.placeholder(tf.float32, [None, 3]), tf.placeholder(tf.float32, [None])
    rate, share = tf.placeholder(tf.float32, []), tf.placeholder_with_default(0.5, [])
    weights = tf.get_variable("weights", [3])
    errors = tf.linalg.matvec(x, weights) - y
    loss = share * tf.reduce_mean(errors**2)
    step = each_batch(tf.train.GradientDescentOptimizer(rate).minimize(loss), 20, [x, y], plain)
    session.run(tf.global_variables_initializer())
    by_hand = session.run(weights)
    for given in ({rate: 0.3}, {rate: 0.1}, {rate: 0.1, share: 2.0}):
        session.run(step, {x: inputs, y: targets} | given)
        for start in (0, 20, 40):
            some, wanted = inputs[start : start + 20], targets[start : start + 20]
            slope = 2 * (some @ by_hand - wanted) @ some / 20
            by_hand = by_hand - given[rate] * given.get(share, 0.5) * slope
        np.testing.assert_allclose(session.run(weights), by_hand, rtol=1e-4)
    values = session.run(each_batch(errors, 20, [x, y], plain), {x: inputs, y: targets})  # [3, 20]
    np.testing.assert_allclose(values, (inputs @ by_hand - targets).reshape(3, 20), rtol=1e-3, atol=1e-5)


@both
def test_each_mini_batch_has_noise_of_its_own_that_follows_from_the_seed(small_mnist, plain):
    def draw(seed):
        """The noise in the codes of one image, 2,000 times over: two calls of ten mini-batches, [2, 10, 100, 2]."""
        with tf.Graph().as_default():
            model = vae.build_graph(seed=seed)
            noise = each_batch((model.code - model.mean) / model.stddev, 100, [model.images], plain)
            images = np.repeat(small_mnist["test"].images[:1], 1_000, axis=0)
            for _ in range(2):  # sessions, each of which begins anew
                with tf.Session() as session:
                    session.run(tf.global_variables_initializer())
                    yield np.array([session.run(noise, {model.images: images}) for _ in range(2)])

    (first, in_a_new_session), (again, _), (other, _) = draw(3), draw(3), draw(4)
    np.testing.assert_array_equal(first, in_a_new_session)
    np.testing.assert_array_equal(first, again)
    assert (first != other).mean() > 0.99
    assert len(np.unique(first.round(4))) > 0.9 * 4_000  # no draw comes twice, in one call or the next
    assert abs(first.mean()) < 4 / np.sqrt(4_000)
    assert abs(first.std() - 1) < 4 / np.sqrt(2 * 4_000)


@both
def test_rows_that_make_no_mini_batches_are_refused_and_train_nothing(session, small_mnist, plain):
    model = regression.build_graph()
    step = each_batch(model.optimize, 100, [model.images, model.digit], plain)
    session.run(tf.global_variables_initializer())
    before = session.run(tf.global_variables())
    data = small_mnist["train"]
    for images, labels in ((0, 0), (50, 50), (150, 150), (250, 250), (300, 100), (100, 300)):
        with pytest.raises(tf.errors.InvalidArgumentError, match="rows"):
            session.run(step, {model.images: data.images[:images], model.digit: data.labels[:labels]})
    for one, other in zip(before, session.run(tf.global_variables()), strict=True):
        np.testing.assert_array_equal(one, other)


def edit(script, line, edited, folder):
    """The main of a copy of a script in which a line is another."""
    source = Path(script.__file__).read_text(encoding="utf-8")
    assert source.count(line) == 1
    (folder / "edited.py").write_text(source.replace(line, edited), encoding="utf-8")
    return runpy.run_path(str(folder / "edited.py"))["main"]


def test_operation_that_xla_lacks_is_one_line_and_runs_plain(small_mnist, tmp_path, monkeypatch, capfd):
    monkeypatch.setattr(mnist, "load", lambda part, data_dir: small_mnist[part].first(200))
    monkeypatch.setattr(regression.pictures, "draw", lambda *_: None)
    step = "optimize = tf.train.AdamOptimizer(learning_rate).minimize(loss)"
    printing = f"with tf.control_dependencies([tf.print('the loss', loss)]):\n            {step}"
    main = edit(regression, step, printing, tmp_path)
    monkeypatch.setattr(sys, "argv", ["edited.py", "--epochs=1", f"--logdir={tmp_path / 'compiled'}"])
    with pytest.raises(SystemExit) as stop:
        command_line.run(main)
    (line,) = capfd.readouterr().err.splitlines()
    assert stop.value.code == 2
    assert "--plain" in line
    main(epochs=1, plain=True, logdir=tmp_path / "plain")
    printed = capfd.readouterr()
    assert (printed.out + printed.err).count("the loss") == 2  # once a mini-batch


def test_students_edit_of_the_bound_is_what_is_trained_and_what_is_shown(on_small_mnist, vae_alone, tmp_path, capsys):
    edited = edit(vae, "tf.subtract(reconstruction, kl, ", "tf.subtract(reconstruction, 4 * kl, ", tmp_path)
    plain, other = (
        main(epochs=1, batch_size=20, logdir=tmp_path / name) for name, main in (("vae", vae.main), ("edited", edited))
    )
    for results, weight in ((plain, 1), (other, 4)):
        assert results["elbo"] == pytest.approx(results["reconstruction"] - weight * results["kl"], rel=1e-5)
    assert f"{other['elbo']:.2f}" in capsys.readouterr().out
    assert other["kl"] < 0.8 * plain["kl"]  # which the edit makes dear
