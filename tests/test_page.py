"""The notes' page and the deck in a real browser, opened as files: formulas, links, search, keys, colours, paper."""

import functools
import re
import unicodedata
from urllib.parse import unquote, urlparse

import pytest

from lectures.source import build, deck, page, screenshots
from tests.conftest import wait_until
from tests.test_github_math import written

pytestmark = pytest.mark.skipif(screenshots.find_browser() is None, reason="no Chromium or Chrome here")

NOTES, DECKS = [*page.PAGES.values()], [*page.SLIDES.values()]
FILES = NOTES + DECKS
LANGUAGE = {file: language for names in (page.PAGES, page.SLIDES) for language, file in names.items()}
TELEPHONE, DESK, PROJECTOR = (390, 844), (1280, 900), (1280, 720)

# Pieces of text whose contrast with what is behind them is below WCAG's AA: 4.5, or 3 if they are large
TOO_FAINT = """() => {
  const channels = (color) => color.match(/[\\d.]+/g).map(Number);
  const light = (c) => c.slice(0, 3).map((v) => v / 255)
    .map((v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = (element) => {
    for (let e = element; e; e = e.parentElement) {
      const c = channels(getComputedStyle(e).backgroundColor);
      if (c.length === 3 || c[3] === 1) return c;
    }
    return [255, 255, 255];
  };
  const faint = new Set();
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || !element.checkVisibility()) continue;
    const style = getComputedStyle(element);
    const [a, b] = [light(channels(style.color)), light(behind(element))].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    const least = parseFloat(style.fontSize) >= 24 ? 3 : 4.5;
    if (ratio < least) faint.add(`${element.tagName} ${element.className} ${ratio}`);
  }
  return [...faint];
}"""


@pytest.fixture(scope="module")
def browser():
    with screenshots.open_browser() as browser:
        yield browser


def open_tab(browser, file, size=DESK, scheme="light"):
    """One of our files at a size and a colour scheme; what it asks for and complains of is in `heard`."""
    width, height = size
    tab = browser.new_page(viewport={"width": width, "height": height}, color_scheme=scheme)
    tab.heard = []
    tab.on("request", lambda request: tab.heard.append(request.url))
    tab.on("requestfailed", lambda request: tab.heard.append(f"failed: {request.url}"))
    tab.on("console", lambda message: tab.heard.append(f"{message.type}: {message.text}"))
    tab.on("pageerror", lambda error: tab.heard.append(f"error: {error}"))
    tab.goto(address(file))
    # After that nothing moves any more.
    tab.evaluate(
        """async () => { await document.fonts.load('16px "STIX Two Math part"', 'x');
                         await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))); }"""
    )
    return tab


@pytest.fixture(scope="module")
def look(browser):
    """Opens a file once for all tests that only look at it."""
    opened = functools.cache(functools.partial(open_tab, browser))
    return lambda file, size=DESK, scheme="light": opened(file, size, scheme)


@pytest.fixture
def use(browser):
    """Opens a file for one test, which may do with it what it likes."""
    opened = []

    def use(*args, **options):
        opened.append(open_tab(browser, *args, **options))
        return opened[-1]

    yield use
    for tab in opened:
        tab.close()


def address(file):
    return (build.LECTURES / file).as_uri()


def markdown(file):
    return build.NOTES[LANGUAGE[file]].read_text(encoding="utf-8")


@functools.cache
def names(file):
    """What links can lead to in an HTML file."""
    return set(re.findall(r'\bid="([^"]+)"', file.read_text(encoding="utf-8")))


@pytest.mark.parametrize("file", FILES)
def test_file_is_what_the_notes_and_the_templates_give(file):
    """Fails when one of them has changed since `make lectures`."""
    notes = {language: path.read_text(encoding="utf-8") for language, path in build.NOTES.items()}
    render = page.render if file in NOTES else deck.render
    assert (build.LECTURES / file).read_text(encoding="utf-8") == render(LANGUAGE[file], notes)


@pytest.mark.parametrize("file", FILES)
def test_page_asks_for_files_beside_it_only_and_complains_of_nothing(look, file):
    tab = look(file)
    lectures = build.LECTURES.as_uri()
    wait_until(lambda: {f"{lectures}/page/base.css", f"{lectures}/page/stix-two-math.woff2"} < set(tab.heard))
    tab.evaluate("document.fonts.ready.then(() => true)")
    assert not [said for said in tab.heard if not said.startswith((lectures, "data:,"))]
    assert tab.evaluate("document.fonts.check('16px \"STIX Two Math part\"')")


@pytest.mark.parametrize("file", FILES)
def test_every_link_and_anchor_leads_somewhere(look, file):
    for link in look(file).eval_on_selector_all("[href], [src]", "all => all.map(e => e.href ?? e.src)"):
        parts = urlparse(link)
        if parts.scheme in ("https", "data"):
            continue
        target = build.Path(unquote(parts.path))
        assert target.is_relative_to(build.REPOSITORY), link
        assert target.exists(), link
        if parts.fragment and target.suffix == ".html":
            assert unquote(parts.fragment) in names(target), link


@pytest.mark.parametrize("size", [TELEPHONE, DESK], ids=["telephone", "desk"])
@pytest.mark.parametrize("file", FILES)
def test_only_tables_code_and_formulas_scroll_sideways(look, file, size):
    tab = look(file, size)
    assert tab.evaluate("document.documentElement.scrollWidth") <= size[0]
    scrolling = "all => all.filter(e => e.scrollWidth > e.clientWidth + 1 && e.clientWidth > 30"
    scrolling += " && !['visible', 'hidden'].includes(getComputedStyle(e).overflowX)).map(e => e.tagName + e.className)"
    wide = set(tab.eval_on_selector_all("body *", scrolling))
    assert wide <= {"PREsourceCode python", "PRE", "DIVwide", "SPANformula", "SPANlong"}


@pytest.mark.parametrize("file", NOTES)
def test_every_formula_is_mathml_and_none_is_left_raw(look, file):
    tab = look(file)
    formulas = written(markdown(file))
    assert len(formulas) > 100
    assert tab.locator("main math").count() == len(formulas)
    assert all(size > 3 for size in tab.eval_on_selector_all("main math", "all => all.map(e => e.clientWidth)"))
    texts = tab.evaluate(
        """() => { const body = document.body.cloneNode(true);
                   body.querySelectorAll("code, pre, annotation").forEach((e) => e.remove());
                   return body.textContent; }"""
    )
    assert not re.search(r"\$|\\[A-Za-z]+", texts)


@pytest.mark.parametrize("file", NOTES)
def test_braces_and_functions_names_are_set_as_tex_sets_them(file):
    html, formulas = (build.LECTURES / file).read_text(encoding="utf-8"), "".join(written(markdown(file)))
    assert html.count('class="braced"') == formulas.count(r"\underbrace{") > 0
    assert not re.search(r">ln</mi>(<mo>&#8289;</mo></mrow>)?<m[in]", html)


@pytest.mark.parametrize("file", FILES)
def test_font_has_every_character_of_the_formulas(look, file):
    style = (build.LECTURES / "page" / "base.css").read_text(encoding="utf-8")
    has = set()
    for first, last in re.findall(r"U\+([0-9A-F]+)(?:-([0-9A-F]+))?", style[style.index("unicode-range") :]):
        has |= set(range(int(first, 16), int(last or first, 16) + 1))
    drawn = look(file).eval_on_selector_all("mi, mo, mn, mtext", "all => all.map(e => e.textContent).join('')")
    letters = look(file).eval_on_selector_all("mi:not([mathvariant])", "all => all.map(e => e.textContent)")
    assert drawn
    signs = {*drawn, *(italic(letter) for letter in letters if len(letter) == 1 and letter.isalpha())}
    in_words = re.compile(rf"[\s{build.CHINESE}]")  # for which the browser has its own font
    assert not {sign for sign in signs if ord(sign) not in has and not in_words.match(sign)}


def italic(letter):
    """The sign that a browser draws for a letter alone."""
    script, _, name = unicodedata.name(letter).partition(" ")
    if script not in ("LATIN", "GREEK"):
        return letter
    name = name.replace("LETTER ", "")
    return unicodedata.lookup("PLANCK CONSTANT" if letter == "h" else f"MATHEMATICAL ITALIC {name}")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("file", FILES)
def test_all_text_stands_out_enough(look, file, scheme):
    tab = look(file, scheme=scheme)
    assert (
        tab.evaluate("getComputedStyle(document.body).backgroundColor")
        == {
            "light": "rgb(255, 255, 255)",
            "dark": "rgb(20, 24, 30)",
        }[scheme]
    )
    assert tab.evaluate(TOO_FAINT) == []


def test_faint_text_is_seen(use):
    tab = use("index.html")
    tab.add_style_tag(content="p { color: #888 }")
    assert tab.evaluate(TOO_FAINT)


@pytest.mark.parametrize("file", FILES)
def test_pictures_are_there_and_described(look, file):
    pictures = look(file).eval_on_selector_all("img", "all => all.map(e => [e.alt, e.naturalWidth, e.width])")
    assert len(pictures) >= 12
    for description, width, shown in pictures:
        assert len(description) >= 4  # Chinese is short
        assert width >= shown > 100


@pytest.mark.parametrize("file", NOTES)
def test_every_heading_can_be_linked_to_and_stands_in_the_contents(look, file):
    tab = look(file)
    sections = "all => all.map(e => [e.id, decodeURIComponent(e.querySelector('.anchor').hash)])"
    linked = tab.eval_on_selector_all("main :is(h1, h2, h3)", sections)
    assert all(link == f"#{name}" for name, link in linked)
    listed = tab.eval_on_selector_all("#contents a", "all => all.map(e => decodeURIComponent(e.hash))")
    assert listed == [link for _, link in linked[1:]]


@pytest.mark.parametrize("file", NOTES)
def test_every_section_on_slides_links_its_script_notebook_test_and_slide(look, file):
    links = look(file).eval_on_selector_all(
        ".companions", "all => all.map(e => [...e.querySelectorAll('a')].map(a => a.getAttribute('href')))"
    )
    notebooks = {"en": "notebooks", "zh": "notebooks/zh"}[LANGUAGE[file]]
    assert len(links) == len(page.DECK)
    for group, (script, notebook, test, slide) in zip(page.DECK, links, strict=True):
        assert script == f"../lecture10_vae/{group['script']}.py"
        assert notebook == f"../{notebooks}/{group['notebook']}.ipynb"
        assert test == f"../tests/test_{group['script']}.py"
        assert slide == f"{page.SLIDES[LANGUAGE[file]]}#slides-{group['slides']}"


@pytest.mark.parametrize("file", NOTES)
def test_other_language_opens_at_the_same_section(use, file):
    tab = use(file)
    sections = tab.locator("main h2")
    section = sections.nth(5)
    other = section.get_attribute("data-other")
    section.evaluate("e => e.scrollIntoView()")
    tab.wait_for_function(
        "name => decodeURIComponent(document.querySelector('#language').hash) === `#${name}`", arg=other
    )
    tab.click("#language")
    tab.wait_for_url(f"**/{page.PAGES[{'en': 'zh', 'zh': 'en'}[LANGUAGE[file]]]}#*")
    assert tab.locator("main h2").nth(5).get_attribute("id") == other
    tab.wait_for_function(
        "name => { const y = document.getElementById(name).getBoundingClientRect().top; return 0 <= y && y < 200; }",
        arg=other,
    )


def test_contents_show_where_one_is_and_go_there_by_keyboard(use):
    tab = use("index.html")
    link = tab.locator("#contents a").nth(8)
    link.focus()
    tab.keyboard.press("Enter")
    tab.wait_for_function("document.querySelectorAll('#contents a')[8].getAttribute('aria-current') === 'location'")
    heading = tab.locator(f"[id='{unquote(urlparse(tab.url).fragment)}']")
    assert 0 <= heading.bounding_box()["y"] < 200
    assert 0 < tab.locator("#contents").bounding_box()["y"] < 100  # they stay


def test_contents_open_on_a_telephone_by_keyboard(use):
    tab = use("index.html", TELEPHONE)
    assert not tab.locator("#contents").is_visible()
    tab.focus("#open-contents")
    tab.keyboard.press("Enter")
    assert tab.locator("#contents").is_visible()
    tab.locator("#contents a").nth(3).press("Enter")
    assert not tab.locator("#contents").is_visible()
    tab.wait_for_function("location.hash")


@pytest.mark.parametrize(
    ("file", "query", "found"),
    [
        ("index.html", "reparameterized", "reparameterized"),
        ("index.html", "amortizaton gap", "amortization gap"),  # mistyped
        ("index.zh.html", "先验", "先验"),
    ],
)
def test_search_works_by_keyboard(use, file, query, found):
    tab = use(file)
    tab.keyboard.press("/")
    tab.keyboard.type(query)
    assert tab.locator("#found li").count() > 0
    tab.keyboard.press("ArrowDown")
    assert tab.get_attribute("#search", "aria-activedescendant") == "found-0"
    tab.keyboard.press("Enter")
    tab.wait_for_selector(".target")
    assert found in tab.inner_text(".target").lower()
    assert tab.evaluate("document.activeElement.classList.contains('target')")
    box = tab.locator(".target").bounding_box()
    assert box["y"] < DESK[1]
    assert box["y"] + box["height"] > 0


def test_search_finds_nothing_where_there_is_nothing_and_closes(use):
    tab = use("index.html")
    tab.fill("#search", "xylophone")
    assert tab.locator("#found li").count() == 0
    assert "Nothing" in tab.inner_text("#count")
    tab.keyboard.press("Escape")
    assert not tab.locator("#results").is_visible()


def pages_of_pdf(data):
    return len(re.findall(rb"/Type\s*/Page\b", data))


@pytest.mark.parametrize("file", NOTES)
def test_on_paper_nothing_scrolls_and_no_heading_is_left_behind(use, file):
    tab = use(file, size=(670, 950))
    tab.emulate_media(media="print")
    cut = "all => all.filter(e => e.scrollWidth > e.clientWidth + 2).map(e => e.textContent.slice(0, 80))"
    assert tab.eval_on_selector_all("pre, .wide", cut) == []
    assert not tab.locator("header").is_visible()
    assert tab.eval_on_selector_all("h2, h3", "all => all.every(e => getComputedStyle(e).breakAfter === 'avoid')")
    assert 15 < pages_of_pdf(tab.pdf(prefer_css_page_size=True)) < 60


@pytest.mark.parametrize("file", DECKS)
def test_deck_has_a_slide_a_group_that_fits_and_a_sheet_for_each(use, file):
    tab = use(file, PROJECTOR)
    slides = tab.eval_on_selector_all(".slide", "all => all.map(e => e.id)")
    assert slides == ["start", *(f"slides-{group['slides']}" for group in page.DECK)]
    spilt = "all => all.filter(e => e.scrollHeight > e.clientHeight + 1 || e.scrollWidth > e.clientWidth + 1)"
    assert (
        tab.eval_on_selector_all(".slide, .code, .seen, .code pre, .formula", spilt + ".map(e => e.textContent)") == []
    )
    smallest = tab.eval_on_selector_all(
        ".code pre", "all => Math.min(...all.map(e => parseFloat(getComputedStyle(e).fontSize)))"
    )
    assert smallest > 11.5  # of 720
    assert all(tab.locator(f"#{name} .question").inner_text() for name in slides[1:])
    assert pages_of_pdf(tab.pdf(prefer_css_page_size=True)) == len(slides)


def test_deck_names_the_mistakes_on_its_slides():
    notes = "1. **Slide 28, the relu.** a\n2. **Slides 18, 20 and 23, the loss.** b\n3. **`tf.contrib` is gone.** c\n"
    assert deck.mistakes(notes, "27-29") == ["Slide 28, the relu."]
    assert deck.mistakes(notes, "19-20") == deck.mistakes(notes, "22-25") == ["Slides 18, 20 and 23, the loss."]
    assert deck.mistakes(notes, "26") == []


def test_deck_turns_by_keys_and_changes_the_language_on_the_spot(use):
    tab = use("slides.html", PROJECTOR)

    def shown():
        return tab.evaluate(
            "[...document.querySelectorAll('.slide')].find(e => Math.abs(e.getBoundingClientRect().top) < 2)?.id"
        )

    assert shown() == "start"
    for key, name in [("ArrowRight", "slides-4-5"), ("PageDown", "slides-6"), ("ArrowUp", "slides-4-5")]:
        tab.keyboard.press(key)
        wait_until(lambda name=name: shown() == name)
    tab.keyboard.press("End")
    wait_until(lambda: shown() == "slides-27-29")
    tab.keyboard.press("Home")
    tab.keyboard.press("Space")
    wait_until(lambda: shown() == "slides-4-5")
    # some moments later, once the page has come to rest
    wait_until(lambda: tab.get_attribute("#language", "href") == "slides.zh.html#slides-4-5")
