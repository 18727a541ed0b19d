"""The explorer: what its page computes is what TensorFlow computes, and it works by mouse, touch and keys, alone."""

import base64
import itertools
import json
import re
from types import SimpleNamespace

import numpy as np
import pytest
from playwright.sync_api import expect
from scipy.optimize import minimize
from scipy.special import expit

from lecture10_vae import bayesian_network, lower_bound, vae
from lecture10_vae.studies import bound_on_grid, evidence, gaps, uncertainty
from lecture10_vae.tf1 import tf, tfd
from lecture10_vae.utils import mnist, own_digits
from lectures.source import explorer, screenshots
from tests.conftest import wait_until

pytestmark = pytest.mark.skipif(screenshots.find_browser() is None, reason="no Chromium or Chrome here")

TEXT = explorer.TARGET.read_text(encoding="utf-8")
RECORDED = json.loads(re.search(r'id="recorded">(.*?)</script>', TEXT)[1])
EPOCHS = [recorded["epoch"] for recorded in RECORDED["vae"]["by_epoch"]]
SEVEN = [[[0.25, 0.2], [0.5, 0.22], [0.75, 0.2], [0.6, 0.5], [0.45, 0.85]]]  # strokes on the pad
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}


def unpack(packed):
    """The numbers of an array that the page holds."""
    return np.frombuffer(base64.b64decode(packed["base64"]), packed["type"])


def load(session, scope, network):
    """Gives a network of the graph the weights that the page holds."""
    with session.graph.as_default():
        for variable in tf.trainable_variables(f"{scope}/"):
            weights = unpack(network[variable.op.name.removeprefix(f"{scope}/")])
            variable.load(weights.reshape(variable.shape), session)


def started(build_graph):
    """A script's model in a graph and a session of its own."""
    with tf.Graph().as_default() as graph:
        model, start = build_graph(), tf.global_variables_initializer()
    session = tf.Session(graph=graph)
    session.run(start)
    return SimpleNamespace(session=session, model=model)


@pytest.fixture(scope="module")
def trained_vae():
    """TensorFlow's VAE with the weights of the page."""
    tensorflow = started(vae.build_graph)
    for scope in ("encoder", "decoder"):
        load(tensorflow.session, scope, RECORDED["vae"][scope])
    return tensorflow


@pytest.fixture(scope="module")
def images():
    """Nine test images, float32 [9, 28, 28]: not those that the page holds."""
    return mnist.load("test").images[5_000:5_009]


@pytest.fixture(scope="module")
def browser():
    with screenshots.open_browser() as browser:
        yield browser


def open_explorer(browser, **options):
    """The page in a browser that has no network; what it asks for, and what goes wrong in it, in lists."""
    context = browser.new_context(offline=True, reduced_motion="reduce", **options)
    page = context.new_page()
    page.requests, page.errors = [], []
    page.on("request", lambda request: page.requests.append(request.url))
    page.on("pageerror", lambda error: page.errors.append(error))
    page.on("console", lambda message: message.type == "error" and page.errors.append(message.text))
    page.goto(f"{explorer.TARGET.as_uri()}?lang=en")
    return page


@pytest.fixture(scope="module")
def page(browser):
    page = open_explorer(browser, viewport={"width": 1280, "height": 900})
    yield page
    assert not page.errors
    page.context.close()


@pytest.fixture
def phone(browser):
    page = open_explorer(browser, **PHONE)
    yield page
    assert not page.errors
    page.context.close()


def ask(page, name, *arguments):
    """What a function of window.explorer answers."""
    arguments = json.loads(json.dumps(arguments, default=lambda array: array.tolist()))
    return page.evaluate("([name, ...rest]) => window.explorer[name](...rest)", [name, *arguments])


def flat(image):
    """An image as the page has it: 784 numbers."""
    return np.reshape(image, -1).astype(float)


def next_frame(page):
    """Waits until the page has drawn what it was asked for, however late its frames are."""
    page.evaluate("new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)))")


def settle(page):
    """Waits until the page has solved for the digit that is there now."""
    next_frame(page)  # after which the last digit's numbers are gone
    expect(page.locator("#encode-evidence")).not_to_have_text("…", timeout=30_000)


def encode(page, image):
    return ask(page, "encode", flat(image))


def shown(page, name):
    """What the page shows at a place, its minus signs as Python has them."""
    return page.locator(f"#{name}").inner_text().replace("\N{MINUS SIGN}", "-")


def shown_number(page, name):
    return float(shown(page, name))


def shown_code(page, name):
    """The first pair of numbers shown there, [2]."""
    return np.array(re.findall(r"-?\d+\.\d+", shown(page, name))[:2], float)


@pytest.mark.parametrize("epoch", EPOCHS)
def test_decoder_is_tensorflows(page, trained_vae, epoch):
    session, model = trained_vae.session, trained_vae.model
    recorded = next(recorded for recorded in RECORDED["vae"]["by_epoch"] if recorded["epoch"] == epoch)
    codes = np.random.default_rng(0).normal(size=(20, 2)) * 2
    load(session, "decoder", recorded.get("decoder", RECORDED["vae"]["decoder"]))
    expected = session.run(model.dist.mean(), {model.code: codes})
    load(session, "decoder", RECORDED["vae"]["decoder"])
    decoded = [ask(page, "decode", code, epoch) for code in codes]
    np.testing.assert_allclose(decoded, expected.reshape(20, 784), atol=1e-4)


def test_encoder_is_tensorflows(page, trained_vae, images):
    session, model = trained_vae.session, trained_vae.model
    means, stddevs = session.run([model.mean, model.stddev], {model.images: images})
    for image, mean, stddev in zip(images, means, stddevs, strict=True):
        q = encode(page, image)
        np.testing.assert_allclose(q["mean"], mean, atol=1e-4)
        np.testing.assert_allclose(q["stddev"], stddev, atol=1e-4)


def gauss_hermite(q, points=25):
    """The codes [points^2, 2] and weights [points^2] by which the page takes expectations over Q."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(points)
    noise = np.stack(np.meshgrid(nodes, nodes, indexing="ij"), axis=-1).reshape(-1, 2)
    return np.asarray(q["mean"]) + np.asarray(q["stddev"]) * noise, np.outer(weights, weights).ravel() / (2 * np.pi)


def test_bound_is_tensorflows_at_the_same_codes(page, trained_vae, images):
    session, model = trained_vae.session, trained_vae.model
    kl = session.run(model.kl, {model.images: images})
    for image, divergence in zip(images, kl, strict=True):
        q = encode(page, image)
        codes, weights = gauss_hermite(q)
        repeated = np.repeat(image[np.newaxis], len(codes), axis=0)
        reconstruction = session.run(model.reconstruction, {model.code: codes, model.images: repeated})
        bound = ask(page, "bound", flat(image), q)
        assert bound["reconstruction"] == pytest.approx(weights @ reconstruction.astype(float), abs=1e-4)
        assert bound["kl"] == pytest.approx(divergence, abs=1e-4)
        assert bound["elbo"] == bound["reconstruction"] - bound["kl"]


def test_bound_is_what_samples_come_to(page, trained_vae, images):
    session, model = trained_vae.session, trained_vae.model
    repeated = np.repeat(images[:3], 5_000, axis=0)
    elbos = session.run(model.elbo, {model.images: repeated}).reshape(3, 5_000)
    for image, elbo in zip(images, elbos, strict=False):
        found = ask(page, "bound", flat(image), encode(page, image))["elbo"]
        assert found == pytest.approx(elbo.mean(), abs=4 * elbo.std() / np.sqrt(elbo.size))


def fine_grid(posterior):
    """An even grid over the codes that matter, float32 [120 * 120, 2], and the area that each stands for."""
    heights = np.array(posterior["logJoint"])
    codes = np.array(posterior["codes"])[heights > heights.max() - 16]
    lowest, highest = codes.min(axis=0) - 0.05, codes.max(axis=0) + 0.05
    axes = [np.linspace(low, high, 120, dtype=np.float32) for low, high in zip(lowest, highest, strict=True)]
    return np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 2), np.prod((highest - lowest) / 119)


@pytest.fixture(scope="module")
def posteriors(page, trained_vae, images):
    """For some images: the page's posterior, and ln P(x,z) by TensorFlow on its codes and on a fine grid."""
    found = []
    for image in [*images[:4], ask_image(page, SEVEN)]:
        posterior = ask(page, "posterior", flat(image))
        codes, cell = fine_grid(posterior)
        joints = [
            np.concatenate([log_joint(trained_vae, image, part) for part in np.array_split(some, 4)])  # less memory
            for some in (np.array(posterior["codes"], np.float32), codes)
        ]
        found.append(
            SimpleNamespace(image=image, page=posterior, same=joints[0], codes=codes, fine=joints[1], cell=cell)
        )
    return found


def ask_image(page, strokes):
    return np.array(ask(page, "toMnist", strokes)).reshape(28, 28)


def log_joint(tensorflow, image, codes):
    """ln P(x,z) of an image by TensorFlow's decoder, in nats."""
    logit, log_prior = evidence.decode(tensorflow.session, tensorflow.model, codes)
    return evidence.log_joint(image[np.newaxis].astype(float), logit.astype(float), log_prior)[0]


def test_posterior_is_tensorflows_at_the_same_codes(posteriors):
    for found in posteriors:
        np.testing.assert_allclose(found.page["logJoint"], found.same, atol=1e-4)


def test_evidence_is_the_integral(posteriors):
    for found in posteriors:
        assert found.page["logEvidence"] == pytest.approx(evidence.log_integral(found.fine, found.cell), abs=0.01)


def best_bound(found):
    """The highest bound of a diagonal Gaussian on the fine grid that a simplex finds from the posterior's moments."""
    mass = np.exp(found.fine - found.fine.max())
    mean = mass @ found.codes / mass.sum()
    stddev = np.sqrt(mass @ (found.codes - mean) ** 2 / mass.sum())

    def negative_bound(parameters):
        noise = (found.codes - parameters[:2]) / np.exp(parameters[2:])
        log_q = -0.5 * (noise**2).sum(axis=1) - np.log(2 * np.pi) - parameters[2:].sum()
        mass = np.exp(log_q) * found.cell
        return -(mass @ (found.fine - log_q)) + 1e4 * abs(1 - mass.sum())  # which shall not leave the grid

    return -minimize(negative_bound, [*mean, *np.log(stddev)], method="Nelder-Mead").fun


def test_best_gaussian_is_the_families_best(page, posteriors):
    for found in posteriors:
        q = ask(page, "bestGaussian", flat(found.image))
        bound = ask(page, "bound", flat(found.image), q)["elbo"]
        assert best_bound(found) - 5e-3 <= bound < found.page["logEvidence"]


def refined(tensorflow, image, start, rate):
    """Slide 7's variables of an image in TensorFlow's graph, from a Q on, and a step on the bound by quadrature."""
    noise, weights = gauss_hermite({"mean": [0, 0], "stddev": [1, 1]}, points=9)
    with tensorflow.session.graph.as_default(), tf.variable_scope("refined"):
        image = tf.constant(image)  # a Bernoulli would make integers of numpy's floats
        mean = tf.get_variable("mean", initializer=np.float32(start["mean"]))
        raw = tf.get_variable(
            "stddev", initializer=np.float32(gaps.inverse_softplus(np.subtract(start["stddev"], 1e-6)))
        )
        stddev = tf.nn.softplus(raw) + 1e-6
        log_prob = tensorflow.model.decoder(mean + stddev * noise.astype(np.float32)).log_prob(image)
        kl = tfd.kl_divergence(tfd.MultivariateNormalDiag(mean, stddev), tensorflow.model.prior)
        bound = tf.reduce_sum(log_prob * weights.astype(np.float32)) - kl
        step = tf.train.AdamOptimizer(rate).minimize(-bound, var_list=[mean, raw])
        tensorflow.session.run(tf.variables_initializer(tf.global_variables("refined")))
    return (mean, stddev), step


def test_steps_of_slide_7_are_tensorflows(page, trained_vae, images):
    start, rate = encode(page, images[0]), 0.03
    q, step = refined(trained_vae, images[0], start, rate)
    for _ in range(20):
        trained_vae.session.run(step)
    found = ask(page, "refine", flat(images[0]), start, 20, rate)
    np.testing.assert_allclose([found["mean"], found["stddev"]], trained_vae.session.run(q), atol=1e-4)
    assert np.abs(np.subtract(found["mean"], start["mean"])).max() > 0.1


@pytest.mark.parametrize("q", [[-1.8, -1.5, -0.5, -0.5], [0.3, 0.1, 0.0, -1.0], [1.0, 0.5, -2.0, -1.5]])
def test_lower_bound_is_tensorflows(page, q):
    tensorflow = started(lower_bound.build_graph)
    session, model = tensorflow.session, tensorflow.model
    with session.graph.as_default():
        for variable, value in zip(tf.trainable_variables("posterior"), (q[:2], q[2:]), strict=True):
            variable.load(value, session)
    stddev = session.run(model.posterior.stddev())
    expected = bound_on_grid.measure(session, model, *evidence.code_grid())
    found = ask(page, "lowerBound", {"mean": q[:2], "stddev": stddev})
    assert found["logEvidence"] == pytest.approx(expected["evidence"], abs=1e-4)
    for name in ("bound", "divergence"):
        assert found[name] == pytest.approx(expected[name], abs=1e-4)
    assert found["bound"] + found["divergence"] == pytest.approx(expected["evidence"], abs=1e-4)


@pytest.mark.parametrize("q", [([3, -3], [3, 3]), ([-3, 3], [0.05, 3]), ([0, 0], [0.05, 0.05])])
def test_bound_and_divergence_are_the_evidence_wherever_q_is_dragged(page, q):
    found = ask(page, "lowerBound", {"mean": q[0], "stddev": q[1]})
    assert found["bound"] + found["divergence"] == pytest.approx(found["logEvidence"], abs=1e-4)
    assert found["divergence"] > 0


def test_climb_reaches_the_families_best(page):
    tensorflow = started(lower_bound.build_graph)
    codes, cell = evidence.code_grid()
    joint = bound_on_grid.log_densities(tensorflow.session, tensorflow.model, codes).log_joint
    best = bound_on_grid.best_in_family(joint, codes, cell, full_covariance=False)
    q = ask(page, "climb", {"mean": [-1.8, -1.5], "stddev": [0.5, 0.5]}, 600, 0.03)
    assert ask(page, "lowerBound", q)["bound"] == pytest.approx(best.bound, abs=1e-3)


@pytest.fixture(scope="module")
def trained_network():
    """TensorFlow's Bayesian network with the weights of the page; its draw of the weights, to be fed."""
    tensorflow = started(bayesian_network.build_graph)
    load(tensorflow.session, "network", RECORDED["bayesian_network"])
    (product,) = (op for op in tensorflow.session.graph.get_operations() if re.fullmatch(r"network\w*/MatMul", op.name))
    tensorflow.drawn = product.inputs[1]
    return tensorflow


def test_predictions_are_tensorflows_with_the_same_weights(page, trained_network, images):
    session, model = trained_network.session, trained_network.model
    draws = page.evaluate("() => window.explorer.drawWeights(3, 1).map((draw) => [...draw])")
    expected = [
        session.run(model.probability, {model.images: images, trained_network.drawn: np.reshape(draw, (784, 10))})
        for draw in draws
    ]
    found = np.stack([ask(page, "predict", flat(image), draws) for image in images], axis=1)
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_weights_are_drawn_from_q(page, trained_network):
    mean, stddev = trained_network.session.run([trained_network.model.mean, trained_network.model.stddev])
    draws = page.evaluate("() => window.explorer.drawWeights(25, 5).map((draw) => [...draw])")
    noise = (np.reshape(draws, (25, 784, 10)) - mean) / stddev
    assert noise.mean() == pytest.approx(0, abs=5 / np.sqrt(noise.size))
    assert noise.std() == pytest.approx(1, abs=5 / np.sqrt(2 * noise.size))
    assert np.abs(np.corrcoef(noise.reshape(25, -1)[:2])[0, 1]) < 5 / np.sqrt(7_840)


def test_entropy_is_split_as_in_the_study(page):
    prediction = np.random.default_rng(0).dirichlet(np.full(10, 0.3), size=20)
    expected = uncertainty.split_entropy(prediction[:, np.newaxis])
    found = ask(page, "splitEntropy", prediction)
    for name in expected._fields:
        assert found[name] == pytest.approx(getattr(expected, name)[0], abs=1e-9)


def distances(places, start, end):
    """From places [2, N, M] to the stretch between two points [2]: [N, M]."""
    along = np.tensordot(end - start, places - start[:, np.newaxis, np.newaxis], axes=1) / np.sum((end - start) ** 2)
    nearest = start[:, np.newaxis, np.newaxis] + np.multiply.outer(end - start, np.clip(along, 0, 1))
    return np.hypot(*(places - nearest))


def ink(strokes):
    """What strokes of the page's pen leave on its pad: float [140, 140]."""
    places = np.indices((140, 140))[::-1] + 0.5  # x, y
    stretches = [pair for stroke in strokes for pair in itertools.pairwise(np.array(stroke) * 140)]
    nearest = np.min([distances(places, *stretch) for stretch in stretches], axis=0)
    return np.clip(0.5 - (nearest - 5.5) / 2, 0, 1)


@pytest.mark.parametrize(
    "strokes", [SEVEN, [[[0.5, 0.1], [0.5, 0.9]]], [[[0.4, 0.4], [0.5, 0.45]]], [*SEVEN, [[0.0, 0.5], [1.0, 0.6]]]]
)
def test_strokes_become_the_digit_that_own_digits_would_make_of_them(page, strokes):
    drawn = ink(strokes)
    np.testing.assert_allclose(np.reshape(ask(page, "ink", strokes), (140, 140)), drawn, atol=1e-9)
    rows, columns = (np.flatnonzero((drawn > 0.2).any(axis=axis)) for axis in (1, 0))
    cut = drawn[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].astype(np.float32)
    np.testing.assert_allclose(ask_image(page, strokes), own_digits.to_mnist(cut), atol=1e-4)


def draw(page, box, strokes):
    for stroke in strokes:
        places = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in stroke]
        page.mouse.move(*places[0])
        page.mouse.down()
        for place in places[1:]:
            page.mouse.move(*place)
        page.mouse.up()


def test_drawn_stroke_gives_the_fixed_answer(page, trained_vae):
    page.locator("#encode-pad .clear").click()
    draw(page, page.locator("#encode-pad > canvas").bounding_box(), SEVEN)
    image = np.array(ask(page, "image"))
    np.testing.assert_allclose(image, flat(ask_image(page, SEVEN)), atol=0.05)  # mouse and border: a pixel's fraction
    settle(page)
    q = encode(page, image)
    bound, posterior = ask(page, "bound", image, q), ask(page, "posterior", image)
    names = {"reconstruction": bound["reconstruction"], "kl": bound["kl"], "elbo": bound["elbo"]}
    for name, value in (names | {"evidence": posterior["logEvidence"]}).items():
        assert shown_number(page, f"encode-{name}") == pytest.approx(value, abs=0.006)
    mean = trained_vae.session.run(trained_vae.model.mean, {trained_vae.model.images: image.reshape(1, 28, 28)})
    np.testing.assert_allclose(q["mean"], mean[0], atol=1e-4)
    assert page.locator("#weights-answer").inner_text().startswith("Most probably a 7:")


def test_one_click_is_one_step_of_slide_7(page):
    page.locator("#encode-pad .choices button").nth(4).click()
    settle(page)
    image = ask(page, "image")
    start, before = encode(page, image), shown_number(page, "encode-elbo")
    page.locator("#refine").click()
    page.locator("#refine-ten").click()
    refined = ask(page, "bound", image, ask(page, "refine", image, start, 11, 0.03))["elbo"]
    wait_until(lambda: abs(shown_number(page, "encode-elbo") - refined) < 0.006)
    assert before < shown_number(page, "encode-elbo") <= shown_number(page, "encode-evidence")
    page.locator("#refine-reset").click()
    wait_until(lambda: shown_number(page, "encode-elbo") == before)


def test_gaps_are_those_of_slide_8(page, posteriors):
    page.locator("#encode-pad .choices button").nth(3).click()
    settle(page)
    image = ask(page, "image")
    exact = ask(page, "posterior", image)["logEvidence"]
    best = ask(page, "bound", image, ask(page, "bestGaussian", image))["elbo"]
    encoder = ask(page, "bound", image, encode(page, image))["elbo"]
    assert shown_number(page, "encode-approximation") == pytest.approx(exact - best, abs=0.006)
    assert shown_number(page, "encode-amortization") == pytest.approx(best - encoder, abs=0.006)
    assert exact > best > encoder


def test_handles_of_the_bound_can_be_dragged(page):
    before = shown_number(page, "bound-bound")
    page.locator("#bound-plane").scroll_into_view_if_needed()
    handle = page.locator("#bound-plane .free").bounding_box()
    plane = page.locator("#bound-plane").bounding_box()
    page.mouse.move(handle["x"] + 22, handle["y"] + 22)
    page.mouse.down()
    page.mouse.move(plane["x"] + 0.6 * plane["width"], plane["y"] + 0.5 * plane["height"], steps=5)
    page.mouse.up()
    next_frame(page)
    assert page.locator("#bound-q").inner_text().startswith("μ = (0.6")
    assert shown_number(page, "bound-bound") != before
    total = shown_number(page, "bound-bound") + shown_number(page, "bound-divergence")
    assert total == pytest.approx(shown_number(page, "bound-evidence"), abs=0.0016)


def press(page, *keys):
    for key in keys:
        page.keyboard.press(key)
    next_frame(page)


def test_keys_do_what_the_mouse_does(browser):
    page = open_explorer(browser, viewport={"width": 1280, "height": 900})
    page.locator("#code-plane .free").focus()
    before = shown_code(page, "decoded-code")
    for key in ("ArrowRight", "Shift+ArrowUp"):
        shown = page.locator("#decoded-code").inner_text()
        press(page, key)
        wait_until(lambda before=shown: page.locator("#decoded-code").inner_text() != before)
    np.testing.assert_allclose(shown_code(page, "decoded-code") - before, [0.092, 0.46], atol=0.011)
    page.locator("#bound-plane .pull").first.focus()
    stddev = page.locator("#bound-q").inner_text()
    press(page, "ArrowRight")
    wait_until(lambda: page.locator("#bound-q").inner_text() != stddev)
    page.locator("#epoch").focus()
    press(page, "Home")
    assert page.locator("#epoch-shown").inner_text() == str(EPOCHS[0])
    page.locator("#encode-pad > canvas").focus()
    press(page, "Delete", " ", "ArrowDown", "ArrowDown", "ArrowDown", "ArrowDown", " ")
    down = [[[0.5, 0.25 + 0.04 * step] for step in range(5)]]
    np.testing.assert_allclose(ask(page, "image"), flat(ask_image(page, down)), atol=1e-9)
    assert not page.errors
    page.context.close()


def touch(page, path):
    """Draws a path of points in pixels with one finger."""
    session = page.context.new_cdp_session(page)
    kinds = ["touchStart", *["touchMove"] * (len(path) - 1)]
    for kind, (x, y) in zip(kinds, path, strict=True):
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": x, "y": y}]})
    session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    next_frame(page)


def test_fingers_draw_and_drag_on_a_phone_without_scrolling_it(phone):
    phone.locator("#encode-pad .clear").tap()
    pad = phone.locator("#encode-pad > canvas")
    pad.scroll_into_view_if_needed()
    box, scrolled = pad.bounding_box(), phone.evaluate("scrollY")
    touch(phone, [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in SEVEN[0]])
    np.testing.assert_allclose(ask(phone, "image"), flat(ask_image(phone, SEVEN)), atol=0.1)
    assert phone.evaluate("scrollY") == scrolled
    handle = phone.locator("#bound-plane .free")
    handle.scroll_into_view_if_needed()
    box, before = handle.bounding_box(), phone.locator("#bound-q").inner_text()
    touch(phone, [(box["x"] + 22 + step, box["y"] + 22 - step) for step in range(0, 60, 10)])
    assert phone.locator("#bound-q").inner_text() != before


def test_phone_shows_all_without_scrolling_sideways_and_large_enough_to_touch(phone):
    for language in ("zh", "en"):
        phone.locator(f"[data-language={language}]").tap()
        assert phone.evaluate("document.documentElement.scrollWidth") == 390
    sizes = phone.locator("button").evaluate_all("all => all.map((one) => [one.offsetWidth, one.offsetHeight])")
    assert np.min(sizes) >= 24  # WCAG 2.2, 2.5.8


def test_no_request_leaves_the_page(browser):
    page = open_explorer(browser)
    page.locator("#play").click()
    page.locator("#encode-pad .choices button").first.click()
    page.locator("#draw-again").click()
    page.wait_for_timeout(500)
    assert page.requests == [f"{explorer.TARGET.as_uri()}?lang=en"]
    assert not page.errors
    assert "default-src 'none'" in TEXT
    page.context.close()


def test_page_is_small():
    assert explorer.TARGET.stat().st_size <= 3_000_000


def test_every_text_is_there_in_both_languages_and_used(page):
    words = explorer.read_words()
    for key, texts in words.items():
        assert set(texts) == {"en", "zh"}, key
        assert set(re.findall(r"\{\w+\}", texts["en"])) == set(re.findall(r"\{\w+\}", texts["zh"])), key
    sources = "".join(path.read_text(encoding="utf-8") for path in explorer.PARTS.glob("*.[hj]*"))
    named = set(re.findall(r'data-(?:word|label)="([\w.]+)"', sources)) | set(
        re.findall(r'"([a-z]+\.[a-z_]+)"', sources)
    )
    named |= set(re.findall(r'word\("(\w+)"', sources))
    assert set(words) == {key for key in named if not key.endswith((".js", ".html"))}


def test_language_is_switched_as_a_whole(page):
    page.locator("[data-language=zh]").click()
    assert page.locator("html").get_attribute("lang") == "zh-Hans"
    shown = page.locator("main p:not(.said, .readout), main button, main figcaption, main h2, main li")
    alike = {*"0123456789", "ln P(x)", "❙\nln P(x)", ""}
    wait_until(lambda: all(text in alike or re.search("[\u4e00-\u9fff]", text) for text in shown.all_inner_texts()))
    page.locator("[data-language=en]").click()
    # the numbers of the digit are said again once it has rested
    wait_until(lambda: not re.search("[\u4e00-\u9fff]", page.locator("main").inner_text()))


def luminance(color):
    channels = np.array([int(color[start : start + 2], 16) for start in (1, 3, 5)]) / 255
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    return linear @ [0.2126, 0.7152, 0.0722]


def test_colours_have_the_contrast_of_wcag_aa():
    style = (explorer.PARTS / "style.css").read_text(encoding="utf-8")
    themes = [
        dict(re.findall(r"--([\w-]+): (#\w{6});", part)) for part in style.split("@media (prefers-color-scheme")[:2]
    ]
    for theme in themes:
        for text in ("ink", "soft", "blue", "orange", "green", "purple", "brown"):
            for ground in ("paper", "panel"):
                lights = sorted([luminance(theme[text]), luminance(theme[ground])])
                assert (lights[1] + 0.05) / (lights[0] + 0.05) >= 4.5, (text, ground)


@pytest.fixture(scope="module")
def small_runs(small_mnist, vae_run, tmp_path_factory):
    """Runs of both scripts on few images."""
    runs = tmp_path_factory.mktemp("runs")
    (runs / "vae").symlink_to(vae_run.folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mnist, "load", lambda part, data_dir=None: small_mnist[part])
        bayesian_network.main(epochs=1, draws=2, logdir=runs / "bayesian_network")
        explorer.build(runs, runs / "explorer.html")
    return runs


def test_page_holds_what_the_runs_have_learnt(small_runs, small_mnist):
    text = (small_runs / "explorer.html").read_text(encoding="utf-8")
    recorded = json.loads(re.search(r'id="recorded">(.*?)</script>', text)[1])
    networks = [("vae/weights-12", scope, recorded["vae"][scope]) for scope in ("encoder", "decoder")]
    for run, scope, network in [*networks, ("bayesian_network/weights-1", "network", recorded["bayesian_network"])]:
        for name, packed in network.items():
            weights = tf.train.load_variable(str(small_runs / run), f"{scope}/{name}")
            np.testing.assert_array_equal(unpack(packed), weights.ravel())
    assert [epoch["epoch"] for epoch in recorded["vae"]["by_epoch"]] == [0, 1, 4, 8, 12]
    np.testing.assert_array_equal(unpack(recorded["vae"]["labels"]), small_mnist["test"].labels)


def test_half_precision_shows_the_same_pictures(small_runs):
    text = (small_runs / "explorer.html").read_text(encoding="utf-8")
    recorded = json.loads(re.search(r'id="recorded">(.*?)</script>', text)[1])
    codes = np.random.default_rng(0).normal(size=(100, 2)) * 2
    for epoch in recorded["vae"]["by_epoch"][:-1]:
        rounded = {name: unpack(packed).astype(float) for name, packed in epoch["decoder"].items()}
        checkpoint = str(small_runs / "vae" / f"weights-{epoch['epoch']}")
        exact = {name: tf.train.load_variable(checkpoint, f"decoder/{name}").ravel() for name in rounded}
        pictures = [decode(weights, codes) for weights in (exact, rounded)]
        assert np.abs(pictures[0] - pictures[1]).max() < 1 / 255  # a screen's shade of grey


def decode(weights, codes):
    """The decoder's means [N, 784], in plain numpy."""
    hidden = np.maximum(codes @ weights["hidden/kernel"].reshape(2, 100) + weights["hidden/bias"], 0)
    return expit(hidden @ weights["logit/kernel"].reshape(100, 784) + weights["logit/bias"])
