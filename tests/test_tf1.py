"""The copy of a slide's gradient step in a compiled loop: it trains as the step itself does, a student's edit too."""

import runpy
from pathlib import Path

import numpy as np
import pytest

from lecture10_vae import bayesian_network, classification, regression, vae, variational_inference
from lecture10_vae.tf1 import each_batch, tf
from lecture10_vae.utils import mnist

SCRIPTS = [vae, regression, classification, variational_inference, bayesian_network]
SAMPLING = [vae, variational_inference, bayesian_network]


@pytest.fixture(params=SCRIPTS, ids=lambda script: script.__name__.rpartition(".")[2])
def script(request):
    return request.param


@pytest.fixture
def digits(script, small_mnist):
    """500 images; where each image has a Q(z), their numbers are in the place of labels."""
    data = small_mnist["train"].first(500)
    return mnist.Dataset(data.pixels, np.arange(500, dtype=np.int32)) if script is variational_inference else data


@pytest.fixture
def session():
    with tf.Graph().as_default(), tf.Session() as session:
        yield session


@pytest.fixture
def model(script, session):
    """The script's graph, with its initial weights."""
    model = script.build_graph(500) if script is variational_inference else script.build_graph()
    session.run(tf.global_variables_initializer())
    return model


def mini_batches(data, model, batch_size):
    """What the slide's own step is fed for each: images and, if it takes them, labels."""
    tensors = [value for value in vars(model).values() if isinstance(value, tf.Tensor)]
    placeholders = [tensor for tensor in tensors if tensor.op.type == "Placeholder"]
    return [
        dict(zip(placeholders, (batch.images, batch.labels), strict=False))
        for batch in mnist.batches(data, batch_size, seed=0)
    ]


def with_noise(feeds, session, optimize):
    """The feeds with noise in the place of what the step would draw, so that another can be fed the same."""
    noise, random = noise_of(optimize), np.random.default_rng(0)
    return [feed | {noise: random.standard_normal(session.run(tf.shape(noise), feed), np.float32)} for feed in feeds]


def noise_of(optimize):
    """The tensor of Gaussian noise that a step needs."""
    needed, waiting = set(), [optimize]
    while waiting:
        operation = waiting.pop()
        if operation not in needed:
            needed.add(operation)
            waiting += [*operation.control_inputs, *(tensor.op for tensor in operation.inputs)]
    (noise,) = (operation.outputs[0] for operation in needed if operation.type == "StatelessRandomNormalV2")
    return noise


def joined(feeds):
    """Several mini-batches as one feed."""
    return {tensor: np.concatenate([feed[tensor] for feed in feeds]) for tensor in feeds[0]}


def copy_step(optimize, batch_size, feed):
    """A function from the feed of some mini-batches, as the step would have it, to a call of its compiled copy."""
    placeholders = {tensor: tf.placeholder(array.dtype, [None, *tensor.shape[1:]]) for tensor, array in feed.items()}
    optimize_batches = each_batch(optimize, batch_size, placeholders)
    return lambda feed: (optimize_batches, {placeholders[tensor]: array for tensor, array in feed.items()})


def assert_trained_alike(session, calls, other_calls, **tolerances):
    """From the same initial values, calls, each an operation and its feed, take all variables to the same others."""
    variables = tf.global_variables()
    start = session.run(variables)
    for operation, feed in calls:
        session.run(operation, feed)
    trained = session.run(variables)
    for variable, value in zip(variables, start, strict=True):
        variable.load(value, session)
    for operation, feed in other_calls:
        session.run(operation, feed)
    for before, one, other in zip(start, trained, session.run(variables), strict=True):
        assert (one != before).any()
        np.testing.assert_allclose(one, other, **tolerances)


def test_five_mini_batches_a_call_train_as_one_a_call_to_the_last_bit(script, session, model, digits):
    feeds = mini_batches(digits, model, 100)
    if script is bayesian_network:  # its noise is drawn for a whole call at once, and not inside of the loop
        feeds = with_noise(feeds, session, model.optimize)
    copy = copy_step(model.optimize, 100, feeds[0])
    one_by_one = [copy(feed) for feed in feeds]
    assert_trained_alike(session, one_by_one, [copy(joined(feeds))], rtol=0)


def test_copy_trains_as_the_slides_own_step(script, session, model, digits):
    """On 7 mini-batches of 70 images, and then on the 10 images that are left, a mini-batch by themselves."""
    feeds = mini_batches(digits, model, 70)
    if script in SAMPLING:
        feeds = with_noise(feeds, session, model.optimize)
    copy = copy_step(model.optimize, 70, feeds[0])
    copied = [copy(joined(feeds[:7])), copy(feeds[7])]
    plain = [(model.optimize, feed) for feed in feeds]
    assert_trained_alike(session, plain, copied, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("script", [vae], indirect=True)
def test_values_of_a_tensor_come_back_by_mini_batches(session, model, digits):
    feeds = mini_batches(digits, model, 100)
    values_of_each, feed = copy_step(model.kl, 100, feeds[0])(joined(feeds))
    values = session.run(values_of_each, feed)
    one_by_one = [session.run(model.kl, feed) for feed in feeds]
    np.testing.assert_allclose(values, one_by_one, rtol=1e-5)


@pytest.mark.parametrize("script", [bayesian_network], indirect=True)
def test_noise_of_a_known_shape_is_the_noise_that_the_slides_step_draws(session, model, digits):
    feeds = mini_batches(digits, model, 100)
    copy = copy_step(model.optimize, 100, feeds[0])
    plain = [(model.optimize, feed) for feed in feeds]
    assert_trained_alike(session, plain, [copy(feed) for feed in feeds], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("script", [regression], indirect=True)
def test_bytes_train_as_the_floats_that_they_stand_for(session, model, digits):
    feeds = [{model.images: images, model.digit: digits.labels} for images in (digits.images, digits.pixels)]
    floats, as_bytes = ([copy_step(model.optimize, 100, feed)(feed)] for feed in feeds)
    assert_trained_alike(session, floats, as_bytes, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    ("script", "line", "edited", "number"),
    [
        (vae, "tf.subtract(reconstruction, kl, ", "tf.subtract(reconstruction, 4 * kl, ", "test_kl_nats"),
        (regression, "tf.reduce_mean(-log_prob)", "tf.reduce_mean(abs(label - dist.mean()))", "test_squared_error"),
    ],
    indirect=["script"],
    ids=["vae", "regression"],
)
def test_students_edit_of_the_slides_line_changes_the_training(
    script, line, edited, number, on_small_mnist, monkeypatch, tmp_path
):
    """The number is made of other lines than the edited one, and so differs by the weights alone."""
    monkeypatch.setattr(script.pictures, "draw", lambda *_: None)  # takes longer than the training
    source = Path(script.__file__).read_text(encoding="utf-8")
    assert source.count(line) == 1
    (tmp_path / "edited.py").write_text(source.replace(line, edited), encoding="utf-8")
    edited_main = runpy.run_path(str(tmp_path / "edited.py"))["main"]
    plain, other = (main(epochs=2, logdir=tmp_path / main.__module__)[number] for main in (script.main, edited_main))
    assert not 0.9 < other / plain < 1.1
