"""The playground's page: what its buttons say comes about, by mouse, touch and keys, in Chromium and in Firefox."""

import importlib.util
import inspect
import json
import re
import shutil
import subprocess
import tempfile
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image, ImageDraw

from lecture10_vae.utils import mnist
from lectures.source import modules, playground, screenshots
from tests.conftest import wait_until
from tests.test_own_digits import photograph

pytestmark = pytest.mark.skipif(screenshots.find_browser() is None, reason="no Chromium or Chrome here")

ADDRESS = f"{playground.TARGET.as_uri()}?lang=en"
PATIENCE = 120  # seconds, on a machine with other work
NOW = """(() => {
    const { edit, slide } = window.playground?.state ?? {};
    const run = edit ?? slide;
    const numbers = (at) => at && { own: at.own, slide: at.slide, objective: at.objective };
    return run && { seen: run.last?.seen ?? 0, slide: slide.last?.seen ?? 0, error: run.error, edited: Boolean(edit),
        now: numbers(run.at(IMAGES)), then: numbers(slide.at(IMAGES)) };
})()"""

# What each edit does to its numbers, beside those of the slide's own run after as many images
EXPECTED = {  # edit: images, and whether it is so
    "other-at-one": (200, lambda now, then: now.slide["kl"] > then.slide["kl"] + 2),
    "learn-stddev": (12_000, lambda now, then: now.own["log_prob"] > 0 > now.slide["log_prob"]),
    "no-hidden-layer": (8_000, lambda now, then: 0.5 < now.slide["accuracy"] < then.slide["accuracy"] - 0.02),
    "four-kl": (8_000, lambda now, then: now.own["kl"] < 0.7 * then.own["kl"] and now.own["elbo"] < now.slide["bound"]),
    "no-kl": (8_000, lambda now, then: now.own["kl"] > 100 and now.slide["bound"] < then.slide["bound"] - 100),
    "mean-over-pixels": (8_000, lambda now, then: now.own["kl"] < 0.1 and now.own["reconstruction"] > -1),
    "free-bits": (56_000, lambda now, then: 6 < now.own["kl"] < 9 and now.own["kl"] > then.own["kl"] + 1),
    "warm-up": (8_000, lambda now, then: now.own["kl"] > 3 * then.own["kl"]),
    "iwae": (12_000, lambda now, then: now.own["elbo"] > now.slide["bound"] + 1),
    "tanh": (12_000, lambda now, then: then.slide["bound"] - 30 < now.slide["bound"]),
    "twenty-units": (12_000, lambda now, then: now.slide["bound"] < then.slide["bound"] - 5),
    "relu": (8_000, lambda now, then: 0.2 < now.slide["accuracy"] < then.slide["accuracy"] - 0.05),
    "mean-of-kl": (600_000, lambda now, then: now.slide["accuracy"] < then.slide["accuracy"] - 0.05),
    "as-printed": (8_000, lambda now, then: now.slide["accuracy"] < 0.25 < then.slide["accuracy"] - 0.3),
}
CASES = [(slides, edit) for slides, program in playground.PROGRAMS.items() for edit in program.edits]
QUICK = ["other-at-one", "four-kl", "as-printed"]


def slow_unless(quick):
    return [pytest.param(*case, marks=[] if case[1] in quick else pytest.mark.slow) for case in CASES]


class Firefox:
    """A page of Firefox without a window, by the protocol that it speaks itself, WebDriver BiDi."""

    def __init__(self, profile):
        import websocket

        flags = ["--headless", "--no-remote", "--profile", profile, "--remote-debugging-port", "0", "about:blank"]
        self.process = subprocess.Popen([shutil.which("firefox-esr"), *flags], stderr=subprocess.PIPE, text=True)
        found = filter(None, (re.search(r"BiDi listening on (ws://\S+)", line) for line in self.process.stderr))
        self.socket = websocket.create_connection(f"{next(found)[1]}/session", timeout=60, suppress_origin=True)
        self.count = 0
        self.call("session.new", capabilities={})
        self.context = self.call("browsingContext.getTree")["contexts"][0]["context"]

    def call(self, method, **params):
        self.count += 1
        self.socket.send(json.dumps({"id": self.count, "method": method, "params": params}))
        while (answer := json.loads(self.socket.recv())).get("id") != self.count:
            pass
        assert answer["type"] == "success", answer
        return answer["result"]

    def goto(self, address):
        self.call("browsingContext.navigate", context=self.context, url=address, wait="complete")

    def evaluate(self, expression):
        target = {"context": self.context}
        text = f"JSON.stringify({expression}) ?? 'null'"
        answer = self.call("script.evaluate", expression=text, target=target, awaitPromise=False)
        return json.loads(answer["result"]["value"])

    def close(self):
        self.socket.close()
        self.process.terminate()
        self.process.communicate()


@pytest.fixture(scope="module")
def browser():
    with screenshots.open_browser() as browser:
        yield browser


@pytest.fixture(scope="module")
def opened(browser):
    """Opens pages in Chromium; none may have an error."""
    errors, pages = [], []

    def open_page(address=ADDRESS, **options):
        page = browser.new_page(**{"viewport": {"width": 1280, "height": 900}} | options)
        page.set_default_timeout(1000 * PATIENCE)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda message: message.type == "error" and errors.append(message.text))
        page.requests = []
        page.on("request", lambda request: page.requests.append(request.url))
        page.goto(address)
        wait_until(lambda: page.evaluate("Boolean(playground.state.slide)"), PATIENCE)
        pages.append(page)
        return page

    yield SimpleNamespace(page=open_page, pages=pages, errors=errors)
    for page in pages:
        page.close()


def assert_no_errors(opened):
    found, opened.errors[:] = opened.errors[:], []
    assert not found


@pytest.fixture
def open_page(opened):
    """Opens pages that no other test has, and closes them."""
    before = len(opened.pages)
    yield opened.page
    while len(opened.pages) > before:
        opened.pages.pop().close()
    assert_no_errors(opened)


@pytest.fixture(scope="module")
def kept_page(opened):
    """A page that several tests use, one after the other."""
    return opened.page()


@pytest.fixture
def vae_page(kept_page, opened):
    """That page with the slide's own VAE, which has begun to train."""
    kept_page.evaluate("location.hash = ''; location.hash = 'slides-22-26'")
    code = playground.PROGRAMS["slides-22-26"].code
    wait_until(lambda: kept_page.locator("#editor textarea").input_value() == code, PATIENCE)
    wait_until(lambda: not kept_page.evaluate("Boolean(playground.state.edit)"), PATIENCE)
    if not kept_page.evaluate("Boolean(playground.state.slide.worker)"):
        kept_page.locator("#train").click()
    trained(kept_page)
    yield kept_page
    assert_no_errors(opened)


@pytest.fixture(scope="module")
def firefox():
    if not shutil.which("firefox-esr"):
        pytest.skip("no Firefox here")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        firefox = Firefox(profile)
        yield firefox
        firefox.close()


def trained(page, images=0, edited=False):
    """The numbers of the run that is shown, and of the slide's own, once both have seen so many images."""
    state = {}

    def far_enough():
        state.update(page.evaluate(NOW.replace("IMAGES", str(images))) or {})
        assert not state.get("error"), state["error"]
        return min(state.get("seen", 0), state.get("slide", 0)) >= max(images, 1) and state["edited"] >= edited

    wait_until(far_enough, PATIENCE)
    return SimpleNamespace(**state["now"]), SimpleNamespace(**state["then"])


def type_into(page, old, new):
    """Replaces a part of the code as a reader does: it is selected, and typed over."""
    page.evaluate(
        """old => {
        const area = document.querySelector("#editor textarea");
        area.focus();
        area.setSelectionRange(area.value.indexOf(old), area.value.indexOf(old) + old.length);
    }""",
        old,
    )
    first, *lines = new.split("\n")
    page.keyboard.insert_text(first)
    for line in lines:
        page.keyboard.press("Enter")
        page.keyboard.insert_text(line)


@pytest.mark.parametrize(("slides", "edit"), slow_unless(QUICK))
def test_edit_does_in_chromium_what_it_says(slides, edit, open_page):
    images, holds = EXPECTED[edit]
    page = open_page(f"{ADDRESS}#{slides}")
    page.locator(f"#edits button[name={edit}]").click()
    now, then = trained(page, images, edited=True)
    assert holds(now, then), (now, then)
    assert page.locator("#edits [aria-pressed=true]").get_attribute("name") == edit
    assert page.locator("#changed .new").count() >= 1
    assert page.locator("#editor .edited").count() >= 1


@pytest.mark.parametrize(("slides", "edit"), slow_unless(["no-kl"]))
def test_edit_does_in_firefox_what_it_says(slides, edit, firefox):
    images, holds = EXPECTED[edit]
    firefox.goto("about:blank")  # or the page would stay, of which only the part is asked for
    firefox.goto(f"{ADDRESS}#{slides}&edit={edit}")
    now, then = trained(firefox, images, edited=True)
    assert holds(now, then), (now, then)


def test_page_trains_when_it_opens_and_what_is_typed_trains_beside_it(vae_page):
    page = vae_page
    trained(page, 400)
    assert re.search(r"images seen", page.locator("#status").inner_text())
    assert page.evaluate("playground.state.slide.last.kernels") == "WebAssembly"
    page.locator("#numbers th[scope]").first.wait_for()
    labels = page.locator("#numbers th[scope]").all_inner_texts()
    trained_on = "what is trained: minus the loss, by the last mini-batch"
    assert labels == [trained_on, "elbo", "reconstruction, nats", "kl, nats"]  # each once
    assert "dashed" not in page.locator("#curve-caption").inner_text()
    type_into(page, "reconstruction, kl,", "reconstruction, 0.5 * kl,")
    trained(page, 400, edited=True)
    page.locator("#ghost-grid").wait_for()
    assert "dashed" in page.locator("#curve-caption").inner_text()
    assert (
        page.locator("#changed .new").inner_text().strip()
        == '+ elbo = tf.subtract(reconstruction, 0.5 * kl, "elbo")  # [N], nats'
    )
    page.locator("#numbers th", has_text="the slide's bound, nats").wait_for()
    assert "elbo" in page.locator("#numbers th").all_inner_texts()
    page.locator("#undo").click()
    page.locator("#ghost-grid").wait_for(state="hidden")


def error_with(page, text):
    """The error that the page shows, once it holds a text."""
    wait_until(lambda: text in page.locator("#error").inner_text(), PATIENCE)
    return page.locator("#error").inner_text()


def test_mistake_is_shown_with_its_line(vae_page):
    type_into(vae_page, "reconstruction, kl,", "reconstruction, kll,")
    error = error_with(vae_page, "NameError: name 'kll' is not defined. Did you mean: 'kl'?")
    line = playground.PROGRAMS["slides-22-26"].code.split("tf.subtract")[0].count("\n") + 1
    assert error.startswith(f"line {line}: ")
    assert "kll" in vae_page.locator("#editor .wrong").inner_text()


def test_tensor_is_printed_and_training_that_diverges_says_so(vae_page):
    type_into(vae_page, "    elbo = tf", "    print(kl)\nelbo = tf")  # the page indents as the line before
    vae_page.keyboard.press("Control+Enter")
    trained(vae_page, 0, edited=True)
    vae_page.locator("#printed", has_text="Tensor(shape=[?], dtype=float32) ").wait_for()
    type_into(vae_page, "(-tf.reduce_mean(elbo))", "(tf.reduce_mean(elbo) * 1e30)")
    vae_page.keyboard.press("Control+Enter")
    error_with(vae_page, "Training diverges")


def test_no_text_can_be_typed_before_there_is_one(browser):
    """It would be lost when the slide's text comes, as on a page whose data are never unpacked."""
    page = browser.new_page()
    page.add_init_script(
        "DecompressionStream = function () { return new TransformStream({ transform: () => new Promise(() => {}) }); };"
    )
    page.goto(ADDRESS)
    assert not page.locator("#editor textarea").is_editable()
    page.close()


def test_stop_ends_the_workers(vae_page):
    vae_page.locator("#stop").click()
    seen = vae_page.evaluate("playground.state.slide.last.seen")
    vae_page.wait_for_timeout(300)
    assert vae_page.evaluate("playground.state.slide.last.seen") == seen
    vae_page.locator("#train").click()
    wait_until(lambda: vae_page.evaluate("playground.state.slide.history.length") > 2, PATIENCE)
    assert vae_page.evaluate("Boolean(playground.state.slide.worker)")


def test_address_names_slides_and_edits_and_holds_a_readers_text(open_page):
    page = open_page(f"{ADDRESS}#slides-19-20")
    type_into(page, "hidden_size=100, learning_rate=1e-3", "hidden_size=30, learning_rate=1e-3")
    page.locator("#share").click()
    wait_until(lambda: "&text=" in page.evaluate("location.hash"), PATIENCE)
    page.reload()
    trained(page, 0, edited=True)
    shown = page.locator("#editor textarea").input_value()
    assert shown == playground.PROGRAMS["slides-19-20"].code.replace("hidden_size=100, l", "hidden_size=30, l")
    page.evaluate("location.hash = 'slides-13-16'")
    code = playground.PROGRAMS["slides-13-16"].code
    wait_until(lambda: page.locator("#editor textarea").input_value() == code, PATIENCE)
    assert page.locator("nav [aria-current=true]").get_attribute("href") == "#slides-13-16"


def taken_home(page):
    """The script that the page gives, as a module."""
    with page.expect_download() as download:
        page.locator("#take-home").click()
    path = download.value.path()
    specification = importlib.util.spec_from_file_location("my", path.rename(path.with_suffix(".py")))
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def test_script_that_is_taken_home_has_the_text_and_its_defaults(open_page):
    page = open_page(f"{ADDRESS}#slides-22-26&edit=twenty-units")
    trained(page, 0, edited=True)
    script = taken_home(page)
    assert script.build_graph.__defaults__[:2] == script.main.__defaults__[2:4] == (2, 20)
    assert playground.PROGRAMS["slides-22-26"].edited("twenty-units") in inspect.getsource(script)


@pytest.mark.slow
@pytest.mark.parametrize("edit", ["four-kl", "iwae", "warm-up", "twenty-units"])
def test_script_that_is_taken_home_gives_numbers_that_agree(edit, open_page, monkeypatch, tmp_path):
    """Trained on the page's 10,000 images six times: as near as two seeds are."""
    page = open_page(f"{ADDRESS}#slides-22-26&edit={edit}")
    now, _ = trained(page, 60_000, edited=True)
    script = taken_home(page)
    data = {"train": mnist.load("train").first(playground.TRAIN), "test": mnist.load("test").first(playground.TEST)}
    monkeypatch.setattr(script.mnist, "load", lambda part, data_dir=None: data[part])
    monkeypatch.setattr(script.evidence, "measure", lambda *_: {})
    monkeypatch.setattr(script.evidence, "describe", lambda _: "")
    results = script.main(epochs=6, logdir=tmp_path / "run")
    assert results["elbo"] == pytest.approx(now.own["elbo"], abs=7)
    assert results["kl"] == pytest.approx(now.own["kl"], abs=1.5)


def test_digit_that_is_drawn_becomes_a_point_which_follows_the_training(vae_page):
    page = vae_page
    page.locator("#train").click()
    page.locator("#pad > canvas").scroll_into_view_if_needed()
    box = page.locator("#pad > canvas").bounding_box()
    page.mouse.move(box["x"] + 100, box["y"] + 40)
    page.mouse.down()
    page.mouse.move(box["x"] + 110, box["y"] + 200, steps=5)
    page.mouse.up()
    wait_until(lambda: page.evaluate("playground.state.slide.looked?.mean?.length") == 2, PATIENCE)
    drawn = page.evaluate("playground.digit()")
    seen, mean = page.evaluate("[playground.state.slide.last.seen, playground.state.slide.looked.mean]")
    page.locator("#decoded").wait_for()
    wait_until(lambda: page.evaluate("playground.state.slide.last.seen") > seen, PATIENCE)
    assert page.evaluate("playground.state.slide.looked.mean") != mean
    assert page.evaluate("playground.digit()") == drawn
    type_into(page, "reconstruction, kl,", "reconstruction, 2 * kl,")  # whose model sees the digit, too
    trained(page, 200, edited=True)
    assert len(page.evaluate("playground.state.edit.looked.mean")) == 2
    page.locator("#pad .clear").click()
    page.locator("#looked").wait_for(state="hidden")


def given(page, path):
    """The digit as the page reads it from a picture, [28, 28]."""
    before = page.evaluate("playground.digit()")
    page.locator("#picture").set_input_files(path)
    wait_until(lambda: page.evaluate("playground.digit()") != before, PATIENCE)
    return np.reshape(page.evaluate("playground.digit()"), (28, 28))


def test_drawing_and_photographs_are_read_whatever_the_light(vae_page, small_mnist, tmp_path):
    picture = Image.new("RGB", (300, 200), "white")
    ImageDraw.Draw(picture).ellipse((90, 40, 210, 160), outline="black", width=18)
    picture.save(tmp_path / "zero.png")
    ink = given(vae_page, tmp_path / "zero.png")
    assert ink[4:24, 4:24].max() == pytest.approx(1, abs=0.05)
    assert ink[14, 14] == 0
    assert [np.ptp(np.flatnonzero(ink.any(axis=axis))) for axis in (0, 1)] == [19, 19]
    for number, image in enumerate(small_mnist["test"].images[1:5]):
        photograph(image, path := tmp_path / f"{number}.jpg")
        read = given(vae_page, path)
        moved = [np.roll(read, (down, right), (0, 1)) for down in range(-2, 3) for right in range(-2, 3)]
        assert max(np.corrcoef(one.ravel(), image.ravel())[0, 1] for one in moved) > 0.85
    Image.new("L", (50, 50), 200).save(tmp_path / "blank.png")
    assert not given(vae_page, tmp_path / "blank.png").any()
    vae_page.locator("[data-digit]", has_text="No digit is seen").wait_for()
    vae_page.locator("#pad .clear").click()


@pytest.mark.slow  # beside other tests, it would measure those
def test_page_answers_while_it_trains(open_page):
    """Of what a reader asks, nineteen of twenty come to their turn within 50 ms, while two runs train."""
    page = open_page(f"{ADDRESS}#slides-22-26&edit=four-kl")
    trained(page, 400, edited=True)
    page.evaluate("""waits = [], (function ask() {
        const start = performance.now();
        setTimeout(() => { waits.push(performance.now() - start); setTimeout(ask, 5); });
    })()""")
    wait_until(lambda: page.evaluate("waits.length") >= 200, PATIENCE)
    assert page.evaluate("playground.state.edit.rests") is False  # it has trained all the while
    assert np.quantile(page.evaluate("waits"), 0.95) <= 50


def test_phone_trains_by_touch_and_scrolls_not_sideways(open_page):
    options = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
    phone = open_page(f"{ADDRESS}#slides-27-29", **options)
    for slides in ("slides-27-29", "slides-22-26"):
        phone.locator(f"nav a[href='#{slides}']").tap()
        wait_until(lambda slides=slides: phone.evaluate("playground.state.name") == slides, PATIENCE)
        phone.locator("#edits button").nth(1).tap()
        trained(phone, 200, edited=True)
        assert phone.evaluate("document.documentElement.scrollWidth") == 390
    heights = [box.bounding_box()["height"] for box in phone.locator("[data-language]").all()]
    assert max(heights) < 60  # a line each
    phone.locator("#pad button", has_text="7").tap()
    wait_until(lambda: phone.evaluate("Boolean(playground.state.edit.looked)"), PATIENCE)


def test_plain_javascript_trains_where_there_is_no_webassembly(open_page):
    page = open_page(f"{ADDRESS}&plain")
    trained(page, 200)
    assert page.evaluate("playground.state.slide.last.kernels") == "JavaScript"


def test_every_text_is_there_in_both_languages_and_nothing_is_fetched(open_page):
    words = modules.read_words(playground.PARTS)
    for key, texts in words.items():
        assert set(texts) == {"en", "zh"}, key
        assert set(re.findall(r"\{\w+\}", texts["en"])) == set(re.findall(r"\{\w+\}", texts["zh"])), key
    names = [
        f"{kind}.{name}"
        for program in playground.PROGRAMS.values()
        for name in program.edits
        for kind in ("edit", "look")
    ]
    assert set(names) <= set(words)
    page = open_page(f"{playground.TARGET.as_uri()}?lang=zh")
    trained(page)
    shown = page.locator("main p:not(.said), main button, main figcaption, main h2, nav a, h1").all_inner_texts()
    alike = {"4 kl", "free bits", "tanh", *"0123456789", ""}
    assert [
        text for text in shown if text not in alike and not re.search("[\u4e00-\u9fff]|^\\d[\\d-]+ VAE", text)
    ] == []
    assert [address for address in page.requests if not address.startswith("blob:")] == [
        f"{playground.TARGET.as_uri()}?lang=zh"
    ]
    assert "'unsafe-eval'" not in page.content().replace("'wasm-unsafe-eval'", "")
    assert playground.TARGET.stat().st_size < 4e6


def test_page_is_made_of_the_scripts_as_they_are():
    page = playground.TARGET.read_text(encoding="utf-8")
    programs = json.loads(re.search(r'id="programs">(.*?)</script>', page)[1])
    for name, program in playground.PROGRAMS.items():
        assert programs[name] == json.loads(json.dumps(playground.describe(program)))


def test_links_of_the_words_lead_somewhere():
    for texts in modules.read_words(playground.PARTS).values():
        for text in texts.values():
            for page, anchor in re.findall(r"href='([^'#]+)#?([^']*)'", text):
                content = (playground.TARGET.parent / page).read_text(encoding="utf-8")
                assert not anchor or f'id="{anchor}"' in content
