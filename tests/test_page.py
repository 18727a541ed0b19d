"""The notes' page, the deck and the explorer in a real browser, opened as files: links, formulas, keys and paper."""

import functools
import re
from urllib.parse import unquote, urlparse

import pytest

from lectures.source import build, deck, page, screenshots
from tests.conftest import wait_until
from tests.test_github_math import written

pytestmark = pytest.mark.skipif(screenshots.find_browser() is None, reason="no Chromium or Chrome here")

LECTURES = build.LECTURES.as_uri()
NOTES = {  # by file, the name and the language
    file: (name, language) for language, files in page.PAGES.items() for name, file in files.items()
}
TELEPHONE, DESK = {"width": 390, "height": 844}, {"width": 1280, "height": 900}
PROJECTOR = {"width": 1280, "height": 720}
FONT = '16px "STIX Two Math part"'
by_file = pytest.mark.parametrize("file", [*NOTES, *page.SLIDES.values(), "explorer.html"])
by_notes = pytest.mark.parametrize("file", NOTES)
by_lecture = pytest.mark.parametrize("file", ["index.html", "index.zh.html"])

# Pieces of text whose contrast with what is behind them is below WCAG's AA: 4.5, or 3 if they are large
TOO_FAINT = """() => {
  const channels = (color) => color.match(/[\\d.]+/g).map(Number);
  const light = (color) => channels(color).slice(0, 3).map((v) => v / 255)
    .map((v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = (element) => {
    if (!element) return "rgb(255, 255, 255)";
    const color = getComputedStyle(element).backgroundColor;
    return (channels(color)[3] ?? 1) === 1 ? color : behind(element.parentElement);
  };
  const isFaint = (element) => {
    const style = getComputedStyle(element);
    const [a, b] = [light(style.color), light(behind(element))].sort((x, y) => y - x);
    return (a + 0.05) / (b + 0.05) < (parseFloat(style.fontSize) >= 24 ? 3 : 4.5);
  };
  const hasText = (element) => [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
  return [...document.body.querySelectorAll("*")].filter((e) => hasText(e) && e.checkVisibility() && isFaint(e))
    .map((e) => `${e.tagName} ${e.className}`);
}"""


@pytest.fixture(scope="module")
def open_tab():
    """Opens one of our files at a size; what it asks for and complains of is in `heard`."""
    with screenshots.open_browser() as browser:

        def open_tab(file, size=DESK):
            tab = browser.new_page(viewport=size)
            tab.heard = []
            tab.on("request", lambda request: tab.heard.append(request.url))
            tab.on("requestfailed", lambda request: tab.heard.append(f"failed: {request.url}"))
            tab.on("console", lambda message: tab.heard.append(f"{message.type}: {message.text}"))
            tab.on("pageerror", lambda error: tab.heard.append(f"error: {error}"))
            tab.goto(f"{LECTURES}/{file}")
            tab.evaluate(f"document.fonts.load('{FONT}', 'x').then(() => new Promise(requestAnimationFrame))")
            return tab

        yield open_tab


@pytest.fixture(scope="module")
def look(open_tab):
    """Opens a file once for all tests that only look at it."""
    return functools.cache(open_tab)


@functools.cache
def names(file):
    """What links can lead to in an HTML file."""
    return set(re.findall(r'\bid="([^"]+)"', file.read_text(encoding="utf-8")))


@pytest.fixture(scope="module")
def made():
    """What the notes and the templates give, by file."""
    notes = {tag: {name: build.read(path) for name, path in pages.items()} for tag, pages in build.PAGES.items()}
    return page.render(notes) | deck.render(notes)


def test_files_are_what_the_notes_and_the_templates_give(made):
    """Fails when one of them has changed since `make lectures`."""
    for file, text in made.items():
        assert build.read(build.LECTURES / file) == text, file


@by_file
def test_page_asks_for_files_beside_it_only_and_complains_of_nothing(look, file):
    assert f"{LECTURES}/{file}" in look(file).heard
    assert not [said for said in look(file).heard if not said.startswith((LECTURES, "data:,", "blob:"))]


@by_file
def test_every_link_and_anchor_leads_somewhere(look, file):
    for link in look(file).eval_on_selector_all("[href], [src]", "all => all.map(e => e.href ?? e.src)"):
        parts = urlparse(link)
        if parts.scheme in ("https", "data"):
            continue
        target = build.Path(unquote(parts.path))
        assert target.is_relative_to(build.REPOSITORY), link
        assert target.exists(), link
        if parts.fragment and target.suffix == ".html" and target.name != "playground.html":  # which reads it itself
            assert unquote(parts.fragment) in names(target), link


@pytest.mark.parametrize("size", [TELEPHONE, DESK], ids=["telephone", "desk"])
@by_file
def test_only_tables_code_and_formulas_scroll_sideways(look, file, size):
    tab = look(file)
    tab.set_viewport_size(size)
    assert tab.evaluate("document.documentElement.scrollWidth") <= size["width"]
    scrolling = "all => all.filter(e => e.scrollWidth > e.clientWidth + 1 && e.clientWidth > 30"
    scrolling += " && !['visible', 'hidden'].includes(getComputedStyle(e).overflowX)).map(e => e.tagName + e.className)"
    wide = set(tab.eval_on_selector_all("body *", scrolling))
    assert wide <= {"PREsourceCode python", "PRE", "DIVwide", "SPANformula", "SPANlong"}


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("file", ["index.html", "questions.zh.html", "slides.html", "explorer.html"])
def test_all_text_stands_out_enough(look, file, scheme):
    look(file).emulate_media(color_scheme=scheme)
    assert look(file).evaluate(TOO_FAINT) == []


@by_notes
def test_every_formula_is_mathml_in_its_font_and_none_is_left_raw(look, file):
    tab = look(file)
    name, language = NOTES[file]
    formulas = written(build.read(build.PAGES[language][name]))
    assert len(formulas) > 100 or name != "lecture10_vae"
    assert tab.locator("main math").count() == len(formulas)
    assert all(size > 3 for size in tab.eval_on_selector_all("main math", "all => all.map(e => e.clientWidth)"))
    assert not formulas or f"{LECTURES}/page/stix-two-math.woff2" in tab.heard
    html = re.sub(r"<(code|pre|annotation)\b.*?</\1>|<[^>]*>", "", tab.inner_html("main"), flags=re.DOTALL)
    assert not re.search(r"\$|\\[A-Za-z]+", html)


@by_lecture
def test_contents_lead_to_all_sections_and_the_language_to_the_same_one(open_tab, file):
    tab = open_tab(file, TELEPHONE)
    links = tab.eval_on_selector_all("#contents a", "all => all.map(e => decodeURIComponent(e.getAttribute('href')))")
    headings = tab.eval_on_selector_all("main :is(h1, h2, h3)", "all => all.map(e => `#${e.id}`)")
    assert links[: len(headings)] == headings
    others = [name for name, (_, language) in NOTES.items() if language == NOTES[file][1] and name != file]
    expected = [f"{other}#{heading}" for other in others for heading in sections_of(other)]
    assert [link for link in links[len(headings) :] if "#" in link] == expected
    section = tab.locator("main h2").nth(5)
    name, other = section.get_attribute("id"), section.get_attribute("data-other")
    tab.press("#open-contents", "Enter")
    tab.press(f"#contents a[href='#{name}']", "Enter")
    wait_until(lambda: unquote(tab.get_attribute("#language", "href")).endswith(f"#{other}"))
    assert 0 <= section.bounding_box()["y"] < 200
    tab.click("#language")
    tab.wait_for_url(lambda url: unquote(url).endswith(f"#{other}"))
    assert tab.locator("main h2").nth(5).get_attribute("id") == other


def sections_of(file):
    """The names of a page's sections."""
    return re.findall(r'<h2 id="([^"]+)"', build.read(build.LECTURES / file))


@pytest.mark.parametrize(
    ("file", "query", "found"),
    [
        ("index.html", "amortizaton gap", "amortization gap"),
        ("index.html", "aggregate posterior symbols", "the distribution of the codes"),  # on another page
        ("index.zh.html", "先验", "先验"),
        ("papers.zh.html", "詹森不等式 凹函数", "詹森"),
        ("working.zh.html", "KL消失", "kl 消失"),  # without the blank that the text has
    ],
)
def test_search_works_by_keyboard_for_all_pages_and_for_what_is_mistyped(open_tab, file, query, found):
    tab = open_tab(file)
    tab.keyboard.press("/")
    tab.keyboard.type(query)
    tab.keyboard.press("ArrowDown")
    tab.keyboard.press("Enter")
    tab.wait_for_selector(".target")
    assert found in tab.inner_text(".target").lower()
    assert tab.evaluate("document.activeElement.classList.contains('target')")
    box = tab.locator(".target").bounding_box()
    assert -box["height"] < box["y"] < DESK["height"]


@by_lecture
def test_what_the_search_finds_stands_where_it_says(look, file):
    text = look(file).evaluate("""() => TEXTS.filter(([page]) => page === document.querySelector("main").dataset.file)
      .map(([, number, , , content]) => [content, document.querySelectorAll("main :is(" + BLOCKS + ")")[number]])
      .map(([content, block]) => {
        const copy = block.cloneNode(true);
        for (const part of copy.querySelectorAll("annotation, .anchor")) part.remove();
        return [content, copy.textContent.replace(/\\s+/g, " ").trim()];
      })""")
    assert len(text) > 100
    for content, there in text:
        assert content == there


@pytest.mark.parametrize(("language", "file"), [("en", "index.html"), ("zh", "index.zh.html")])
def test_old_links_lead_on(open_tab, language, file):
    for target in page.MOVED[language].values():
        name, _, anchor = target.partition("#")
        assert anchor in names(build.LECTURES / name), target
    old, target = list(page.MOVED[language].items())[-1]
    tab = open_tab(f"{file}#{old}")
    tab.wait_for_url(lambda url: unquote(url).endswith(target))


def pages_of_pdf(tab):
    return len(re.findall(rb"/Type\s*/Page\b", tab.pdf(prefer_css_page_size=True)))


@by_lecture
def test_on_paper_nothing_scrolls_and_no_heading_is_left_behind(open_tab, file):
    tab = open_tab(file, {"width": 670, "height": 950})
    tab.emulate_media(media="print")
    cut = "all => all.filter(e => e.scrollWidth > e.clientWidth + 2).map(e => e.textContent.slice(0, 80))"
    assert tab.eval_on_selector_all("pre, .wide", cut) == []
    assert not tab.locator("header").is_visible()
    assert tab.eval_on_selector_all("h2, h3", "all => all.every(e => getComputedStyle(e).breakAfter === 'avoid')")
    assert 15 < pages_of_pdf(tab) < 40


@pytest.mark.parametrize("file", page.SLIDES.values())
def test_deck_has_a_slide_a_group_that_fits_and_a_sheet_for_each(open_tab, file):
    tab = open_tab(file, PROJECTOR)
    slides = tab.eval_on_selector_all(".slide", "all => all.map(e => e.id)")
    expected = ["start"]
    for group in page.DECK:
        name, pages = f"slides-{group['slides']}", len(group.get("code", []))
        expected += [name if i == 0 else f"{name}-{i + 1}" for i in range(pages)]
        expected.append(f"{name}-picture" if pages else name)
    assert slides == expected
    spilt = "all => all.filter(e => e.scrollHeight > e.clientHeight + 1 || e.scrollWidth > e.clientWidth + 1)"
    shown = ".slide, .code, .picture, .code pre, .formula"
    assert tab.eval_on_selector_all(shown, f"{spilt}.map(e => e.textContent)") == []
    sizes = tab.eval_on_selector_all(".code pre", "all => all.map(e => parseFloat(getComputedStyle(e).fontSize))")
    assert min(sizes) > 14  # of 720: as large as the lecturer's own slides have them
    assert pages_of_pdf(tab) == len(slides)


def test_deck_turns_by_keys_and_changes_the_language_on_the_spot(open_tab):
    tab = open_tab("slides.html", PROJECTOR)
    in_sight = "all => all.find(e => Math.abs(e.getBoundingClientRect().top) < 2)?.id"
    for key, name in (
        ("ArrowRight", "slides-4-5"),
        ("End", "slides-27-29-picture"),
        ("Home", "start"),
        ("Space", "slides-4-5"),
    ):
        tab.keyboard.press(key)
        wait_until(lambda name=name: tab.eval_on_selector_all(".slide", in_sight) == name)
    # some moments later, once the page has come to rest
    wait_until(lambda: tab.get_attribute("#language", "href") == "slides.zh.html#slides-4-5")


def test_deck_marks_what_differs_statement_by_statement():
    printed = "mean = dense(hidden, 10)\nloss = -dist.log_prob(label)  # Squared\nlast = 1"
    ours = "first = 0\nmean = dense(hidden, 10, name='mean')\nloss = mean_of(-dist.log_prob(label))  # mean\nlast = 1"

    def marked(code, other):
        return [deck.tokens(code)[i] for i in sorted(deck.differing(code, other))]

    assert marked(printed, ours) == []
    assert "".join(marked(ours, printed)) == "first=0,name='mean'mean_of()"
    scoped = "with tf.name_scope('a'):\n    b = 1\n    with c:\n        d = 2\ne = 3"
    assert deck.without_scopes(scoped) == "b = 1\nwith c:\n    d = 2\ne = 3"
