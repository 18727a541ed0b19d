"""The explorer: what its page computes is what TensorFlow computes, and it works by mouse, touch and keys, alone."""

import base64
import json
import re

import numpy as np
import pytest
from playwright.sync_api import expect

from lecture10_vae import bayesian_network, lower_bound, vae, variational_inference
from lecture10_vae.studies import bound_on_grid, evidence, gaps, uncertainty
from lecture10_vae.tf1 import tf, tfd
from lecture10_vae.utils import mnist, own_digits, plotting
from lectures.source import explorer, modules, screenshots
from lectures.source.screenshots import wait_until_still
from tests.conftest import wait_until

pytestmark = pytest.mark.skipif(screenshots.find_browser() is None, reason="no Chromium or Chrome here")

ADDRESS = f"{explorer.TARGET.as_uri()}?lang=en"
IMAGES = mnist.load("test").images[5_000:5_009]  # not those that the page holds
SEVEN = [[[0.25, 0.2], [0.5, 0.22], [0.75, 0.2], [0.6, 0.5], [0.45, 0.85]]]  # strokes on the pad


def read(page):
    """The runs that a page holds."""
    return json.loads(re.search(r'id="recorded">(.*?)</script>', page.read_text(encoding="utf-8"))[1])


def unpack(packed):
    """The numbers of an array that the page holds."""
    return np.frombuffer(base64.b64decode(packed["base64"]), packed["type"])


RECORDED = read(explorer.TARGET)


def load(session, scope, network):
    """Gives a network of the graph the weights that the page holds."""
    with session.graph.as_default():
        for variable in tf.trainable_variables(f"{scope}/"):
            weights = unpack(network[variable.op.name.removeprefix(f"{scope}/")])
            variable.load(weights.reshape(variable.shape), session)


def started(build_graph):
    """A script's model and a session on its graph."""
    with tf.Graph().as_default():
        model, session = build_graph(), tf.Session()
        session.run(tf.global_variables_initializer())
    return session, model


@pytest.fixture(scope="module")
def trained_vae():
    """TensorFlow's VAE with the weights of the page."""
    session, model = started(vae.build_graph)
    for scope in ("encoder", "decoder"):
        load(session, scope, RECORDED["vae"][scope])
    return session, model


@pytest.fixture(scope="module")
def open_page():
    """Opens the page in a browser that has no network: what it asks for is in `requests`, and nothing may fail."""
    with screenshots.open_browser() as browser:
        errors = []

        def open_page(**options):
            page = browser.new_context(offline=True, reduced_motion="reduce", **options).new_page()
            page.requests = []
            page.on("request", lambda request: page.requests.append(request.url))
            page.on("pageerror", lambda error: errors.append(error))
            page.on("console", lambda message: message.type == "error" and errors.append(message.text))
            page.goto(ADDRESS)
            return page

        yield open_page
    assert not errors


@pytest.fixture(scope="module")
def page(open_page):
    return open_page(viewport={"width": 1280, "height": 900})


def ask(page, name, *arguments):
    """What a function of window.explorer answers, arrays being given as flat lists."""
    arguments = json.loads(json.dumps(arguments, default=lambda array: array.ravel().tolist()))
    return page.evaluate("([name, ...rest]) => window.explorer[name](...rest)", [name, *arguments])


def next_frame(page):
    """Waits until the page has drawn what it was asked for, however late its frames are."""
    page.evaluate("new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)))")


def text(page, name):
    """What the page shows at a place, its minus signs as Python has them."""
    return page.locator(f"#{name}").inner_text().replace("\N{MINUS SIGN}", "-")


def test_decoder_is_tensorflows_at_each_epoch(page, trained_vae):
    session, model = trained_vae
    codes = np.random.default_rng(0).normal(size=(20, 2)) * 2
    for recorded in RECORDED["vae"]["by_epoch"]:  # the last one's is the trained decoder
        load(session, "decoder", recorded.get("decoder", RECORDED["vae"]["decoder"]))
        decoded = [ask(page, "decode", code, recorded["epoch"]) for code in codes]
        expected = session.run(model.dist.mean(), {model.code: codes})
        np.testing.assert_allclose(decoded, expected.reshape(20, 784), atol=1e-4)


def gauss_hermite(mean, stddev, points=25):
    """The codes [points^2, 2] and weights [points^2] by which the page takes expectations over Q."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(points)
    noise = np.stack(np.meshgrid(nodes, nodes, indexing="ij"), axis=-1).reshape(-1, 2)
    return mean + stddev * noise, np.outer(weights, weights).ravel() / (2 * np.pi)


def test_encoder_and_bound_are_tensorflows(page, trained_vae):
    """The bound at the same codes, and as what samples come to, within four standard errors."""
    session, model = trained_vae
    expected = session.run([model.mean, model.stddev, model.kl], {model.images: IMAGES})
    for image, mean, stddev, kl in zip(IMAGES, *expected, strict=True):
        q = ask(page, "encode", image)
        np.testing.assert_allclose(q["mean"], mean, atol=1e-4)
        np.testing.assert_allclose(q["stddev"], stddev, atol=1e-4)
        bound = ask(page, "bound", image, q)
        codes, weights = gauss_hermite(q["mean"], q["stddev"])
        feed = {model.code: codes, model.images: np.repeat(image[np.newaxis], len(codes), axis=0)}
        reconstruction = session.run(model.reconstruction, feed).astype(float)
        assert bound["reconstruction"] == pytest.approx(weights @ reconstruction, abs=1e-4)
        assert bound["kl"] == pytest.approx(kl, abs=1e-4)
        assert bound["elbo"] == bound["reconstruction"] - bound["kl"]
        elbo = session.run(model.elbo, {model.images: np.repeat(image[np.newaxis], 5_000, axis=0)})
        assert bound["elbo"] == pytest.approx(elbo.mean(), abs=4 * elbo.std() / np.sqrt(elbo.size))


def test_posterior_evidence_and_best_gaussian_are_those_of_tensorflows_joint_density(page, trained_vae):
    def log_joint(image, codes):
        logit, log_empty = evidence.decode(*trained_vae, codes)
        return evidence.log_joint(image[np.newaxis].astype(float), logit.astype(float), log_empty)[0]

    for image in [*IMAGES[:2], np.reshape(ask(page, "toMnist", SEVEN), (28, 28))]:
        posterior = ask(page, "posterior", image)
        codes, heights = np.array(posterior["codes"], np.float32), np.array(posterior["logJoint"])
        np.testing.assert_allclose(heights, log_joint(image, codes), atol=1e-4)
        near = codes[heights > heights.max() - 16]
        lowest, highest = near.min(axis=0) - 0.05, near.max(axis=0) + 0.05
        axes = np.linspace(lowest, highest, 120, dtype=np.float32).T
        codes = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 2)
        joint, cell = log_joint(image, codes), np.prod((highest - lowest) / 119)
        assert posterior["logEvidence"] == pytest.approx(evidence.log_integral(joint, cell), abs=0.01)
        bound = ask(page, "bound", image, ask(page, "bestGaussian", image))["elbo"]
        least = joint.min()  # taken out, so that no Gaussian gains by leaving the grid
        best = bound_on_grid.best_in_family(joint - least, codes, cell, full_covariance=False).bound + least
        assert best - 5e-3 <= bound < posterior["logEvidence"]


def test_steps_of_slide_7_are_tensorflows(page, trained_vae):
    """With the expectation over Q by quadrature."""
    session, model = trained_vae
    start, rate = ask(page, "encode", IMAGES[0]), 0.03
    noise, weights = map(np.float32, gauss_hermite(0, 1, points=9))
    with session.graph.as_default():
        q = tf.make_template("q", variational_inference.make_posterior, num_images=1)
        mean, stddev = q([0]).mean(), q([0]).stddev()
        image = tf.constant(IMAGES[0])  # a Bernoulli would make integers of numpy's floats
        reconstruction = tf.reduce_sum(weights * model.decoder(mean + stddev * noise).log_prob(image))
        variables, adam = q.trainable_variables, tf.train.AdamOptimizer(rate)
        step = adam.minimize(tfd.kl_divergence(q([0]), model.prior) - reconstruction, var_list=variables)
        session.run(tf.variables_initializer([*variables, *adam.variables()]))
    variables[0].load([start["mean"]], session)
    variables[1].load([gaps.inverse_softplus(np.subtract(start["stddev"], 1e-6))], session)
    for _ in range(20):
        session.run(step)
    found = ask(page, "refine", IMAGES[0], start, 20, rate)
    np.testing.assert_allclose([[found["mean"]], [found["stddev"]]], session.run([mean, stddev]), atol=1e-4)
    assert np.abs(np.subtract(found["mean"], start["mean"])).max() > 0.01  # a hundred times that


def test_lower_bound_is_tensorflows_and_its_climb_reaches_the_families_best(page):
    session, model = started(lower_bound.build_graph)
    codes, cell = evidence.code_grid()
    with session.graph.as_default():
        mean, raw_stddev = tf.trainable_variables("posterior")
    for q in ([-1.8, -1.5, -0.5, -0.5], [0.3, 0.1, 0.0, -1.0], [1.0, 0.5, -2.0, -1.5]):
        mean.load(q[:2], session)
        raw_stddev.load(q[2:], session)
        expected = bound_on_grid.measure(session, model, codes, cell)
        found = ask(page, "lowerBound", {"mean": q[:2], "stddev": session.run(model.posterior.stddev())})
        for name, expected_name in {"logEvidence": "evidence", "bound": "bound", "divergence": "divergence"}.items():
            assert found[name] == pytest.approx(expected[expected_name], abs=1e-4)
    for mean, stddev in (([3, -3], [3, 3]), ([-3, 3], [0.05, 3]), ([0, 0], [0.05, 0.05])):  # dragged far away
        found = ask(page, "lowerBound", {"mean": mean, "stddev": stddev})
        assert found["bound"] + found["divergence"] == pytest.approx(found["logEvidence"], abs=1e-4)
        assert found["divergence"] > 0
    joint = bound_on_grid.log_densities(session, model, codes).log_joint
    best = bound_on_grid.best_in_family(joint, codes, cell, full_covariance=False)
    q = ask(page, "climb", {"mean": [-1.8, -1.5], "stddev": [0.5, 0.5]}, 600, 0.03)
    assert ask(page, "lowerBound", q)["bound"] == pytest.approx(best.bound, abs=1e-3)


def test_weights_are_drawn_from_q_and_predict_as_tensorflows_do(page):
    session, model = started(bayesian_network.build_graph)
    load(session, "network", RECORDED["bayesian_network"])
    mean, stddev = session.run([model.mean, model.stddev])
    draws = np.reshape(page.evaluate("window.explorer.drawWeights(25, 5).map((draw) => [...draw])"), (25, 784, 10))
    noise = (draws - mean) / stddev
    assert noise.mean() == pytest.approx(0, abs=5 / np.sqrt(noise.size))
    assert noise.std() == pytest.approx(1, abs=5 / np.sqrt(2 * noise.size))
    assert np.abs(np.corrcoef(noise.reshape(25, -1)[:2])[0, 1]) < 5 / np.sqrt(7_840)
    (product,) = (op for op in session.graph.get_operations() if re.fullmatch(r"network\w*/MatMul", op.name))
    expected = [session.run(model.probability, {model.images: IMAGES, product.inputs[1]: one}) for one in draws[:3]]
    found = [ask(page, "predict", image, draws[:3].reshape(3, -1).tolist()) for image in IMAGES]
    np.testing.assert_allclose(np.stack(found, axis=1), expected, atol=1e-4)
    splits = [ask(page, "splitEntropy", prediction) for prediction in found]
    for name, of_images in uncertainty.split_entropy(np.stack(found, axis=1))._asdict().items():
        assert [split[name] for split in splits] == pytest.approx(of_images, abs=1e-9)


def test_strokes_become_the_digit_that_own_digits_would_make_of_their_ink(page):
    for strokes in (
        SEVEN,
        [[[0.5, 0.1], [0.58, 0.9]]],
        [[[0.4, 0.4], [0.5, 0.45]]],
        [*SEVEN, [[0.0, 0.5], [1.0, 0.6]]],
    ):
        drawn = np.reshape(ask(page, "ink", strokes), (140, 140)).astype(np.float32)
        rows, columns = (np.flatnonzero((drawn > 0.2).any(axis=axis)) for axis in (1, 0))
        cut = drawn[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        np.testing.assert_allclose(ask(page, "toMnist", strokes), own_digits.to_mnist(cut).ravel(), atol=1e-4)


def points_on(box, stroke):
    """A stroke's places in pixels, on a pad with this bounding box."""
    return [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in stroke]


def drag(page, path):
    page.mouse.move(*path[0])
    page.mouse.down()
    for place in path[1:]:
        page.mouse.move(*place)
    page.mouse.up()
    next_frame(page)


def test_mouse_draws_a_digit_steps_on_its_bound_and_drags_q(page):
    page.locator("#encode-pad .clear").click()
    drag(page, points_on(page.locator("#encode-pad > canvas").bounding_box(), SEVEN[0]))
    image = np.array(ask(page, "image"))
    np.testing.assert_allclose(image, ask(page, "toMnist", SEVEN), atol=0.05)  # mouse and border: a pixel's fraction
    expect(page.locator("#encode-evidence")).not_to_have_text("…", timeout=30_000)
    q, exact = ask(page, "encode", image), ask(page, "posterior", image)["logEvidence"]
    bound, best = (ask(page, "bound", image, q) for q in (q, ask(page, "bestGaussian", image)))
    gaps_of_slide_8 = {"approximation": exact - best["elbo"], "amortization": best["elbo"] - bound["elbo"]}
    for name, value in (bound | gaps_of_slide_8 | {"evidence": exact}).items():
        assert float(text(page, f"encode-{name}")) == pytest.approx(value, abs=0.006)
    assert text(page, "weights-answer").startswith("Most probably a 7:")
    page.locator("#refine").click()
    page.locator("#refine-ten").click()
    refined = ask(page, "bound", image, ask(page, "refine", image, q, 11, 0.03))["elbo"]
    wait_until(lambda: abs(float(text(page, "encode-elbo")) - refined) < 0.006)
    page.locator("#bound-plane").scroll_into_view_if_needed()
    handle, plane = (page.locator(f"#bound-plane{part}").bounding_box() for part in (" .free", ""))
    drag(page, [(handle["x"] + 22, handle["y"] + 22), *points_on(plane, [(0.5, 0.5), (0.6, 0.5)])])
    assert text(page, "bound-q").startswith("μ = (0.6")


def test_keys_do_what_the_mouse_does(page):
    page.locator("#code-plane .free").focus()
    shown = [text(page, "decoded-code")]
    for key in ("Shift+ArrowUp", "ArrowRight"):
        page.keyboard.press(key)
        next_frame(page)
        shown.append(text(page, "decoded-code"))
    codes = np.array([re.findall(r"-?\d+\.\d+", numbers)[:2] for numbers in shown], float)
    np.testing.assert_allclose(np.diff(codes, axis=0), [[0, 0.46], [0.092, 0]], atol=0.011)
    page.locator("#encode-pad > canvas").focus()
    for key in ("Delete", " ", *["ArrowDown"] * 4, " "):
        page.keyboard.press(key)
    next_frame(page)
    down = [[[0.5, 0.25 + 0.04 * step] for step in range(5)]]
    np.testing.assert_allclose(ask(page, "image"), ask(page, "toMnist", down), atol=1e-9)


def test_finger_draws_on_a_phone_which_scrolls_neither_then_nor_sideways(open_page):
    phone = open_page(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    phone.locator("#encode-pad .clear").tap()
    pad, finger = phone.locator("#encode-pad > canvas"), phone.context.new_cdp_session(phone)
    pad.scroll_into_view_if_needed()
    scrolled = phone.evaluate("scrollY")
    for kind, (x, y) in zip(["touchStart", *["touchMove"] * 4], points_on(pad.bounding_box(), SEVEN[0]), strict=True):
        finger.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": x, "y": y}]})
    finger.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    next_frame(phone)
    np.testing.assert_allclose(ask(phone, "image"), ask(phone, "toMnist", SEVEN), atol=0.1)
    assert phone.evaluate("scrollY") == scrolled
    assert phone.evaluate("document.documentElement.scrollWidth") == 390


def test_exact_posterior_waits_for_the_pen_and_does_not_hold_up_the_page(page):
    page.locator("#encode-pad .clear").click()
    pad = page.locator("#encode-pad > canvas")
    pad.scroll_into_view_if_needed()
    path = points_on(pad.bounding_box(), SEVEN[0])
    page.mouse.move(*path[0])
    page.mouse.down()
    for place in path[1:]:
        page.mouse.move(*place)
    page.evaluate("""() => {
        const post = Worker.prototype.postMessage;
        window.asked = 0;
        Worker.prototype.postMessage = function (message) {
            window.asked += 1;
            post.call(this, message);
        };
    }""")
    page.wait_for_timeout(400)
    assert text(page, "encode-evidence") == "…"
    assert page.evaluate("window.asked") == 0
    page.mouse.up()
    expect(page.locator("#encode-evidence")).not_to_have_text("…", timeout=30_000)
    assert page.evaluate("window.asked") == 1  # by a worker, while the page goes on
    gap = float(text(page, "encode-now"))
    assert gap == float(text(page, "encode-amortization"))
    page.locator("#refine-ten").click()
    wait_until(lambda: float(text(page, "encode-now")) < gap)


def test_page_opens_on_a_digit_that_is_right(open_page):
    page = open_page(viewport={"width": 1280, "height": 900})
    label = re.search(r"of digit (\d)", page.locator("#weights-pad [data-digit]").inner_text())[1]
    assert text(page, "weights-answer").startswith(f"Most probably a {label}:")


def test_colours_of_digits_are_those_of_slide_26():
    style = (explorer.PARTS / "style.css").read_text(encoding="utf-8")
    assert re.findall(r"--digit-\d: (#\w+);", style)[:10] == plotting.DIGIT_COLORS


def test_swipe_over_the_plane_scrolls_a_phone_and_a_tap_moves_the_code(open_page):
    phone = open_page(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    plane, finger = phone.locator("#code-plane"), phone.context.new_cdp_session(phone)
    plane.scroll_into_view_if_needed()
    wait_until_still(phone, lambda: phone.evaluate("scrollY"))
    box, before = plane.bounding_box(), phone.evaluate("scrollY")
    for step in range(12):
        place = {"x": box["x"] + 30, "y": box["y"] + 300 - 15 * step}
        kind = "touchMove" if step else "touchStart"
        finger.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [place]})
    finger.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    wait_until(lambda: phone.evaluate("scrollY") > before + 100)
    shown = text(phone, "decoded-code")
    plane.tap(position={"x": 40, "y": 300})
    wait_until(lambda: text(phone, "decoded-code") != shown)


def test_no_request_leaves_the_page(page):
    for button in ("#play", "#encode-pad .choices button", "#draw-again"):
        page.locator(button).first.click()
    assert [address for address in page.requests if not address.startswith("blob:")] == [ADDRESS]
    assert "default-src 'none'" in page.content()


def test_every_text_is_there_in_both_languages_and_switched_as_a_whole(page):
    for key, texts in modules.read_words(explorer.PARTS).items():
        assert set(texts) == {"en", "zh"}, key
        assert set(re.findall(r"\{\w+\}", texts["en"])) == set(re.findall(r"\{\w+\}", texts["zh"])), key
    page.locator("[data-language=zh]").click()
    shown = page.locator("main p:not(.said, .readout), main button, main figcaption, main h2, main li")
    alike = {*"0123456789", "ln P(x)", "❙\nln P(x)", ""}
    wait_until(lambda: all(text in alike or re.search("[\u4e00-\u9fff]", text) for text in shown.all_inner_texts()))
    page.locator("[data-language=en]").click()
    wait_until(lambda: not re.search("[\u4e00-\u9fff]", page.locator("main").inner_text()))


def test_page_holds_what_the_runs_have_learnt(on_small_mnist, vae_run, tmp_path):
    """Bit by bit; the decoders of earlier epochs in half precision."""
    (tmp_path / "vae").symlink_to(vae_run.folder)
    bayesian_network.main(epochs=1, draws=2, logdir=tmp_path / "bayesian_network")
    explorer.main(tmp_path, tmp_path / "explorer.html")
    recorded = read(tmp_path / "explorer.html")
    networks = [("vae/weights-12", scope, recorded["vae"][scope]) for scope in ("encoder", "decoder")]
    networks.append(("bayesian_network/weights-1", "network", recorded["bayesian_network"]))
    *earlier, _ = recorded["vae"]["by_epoch"]
    networks += [(f"vae/weights-{epoch['epoch']}", "decoder", epoch["decoder"]) for epoch in earlier]
    for run, scope, network in networks:
        for name, packed in network.items():
            weights = tf.train.load_variable(str(tmp_path / run), f"{scope}/{name}").ravel()
            np.testing.assert_array_equal(unpack(packed), weights.astype(packed["type"]))
