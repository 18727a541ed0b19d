"""The notes as a page to read in a browser: lectures/index.html and index.zh.html, which need no server and no network.

pandoc makes HTML and MathML of the notes' Markdown, with templates/page.lua; templates/page.html is what stands around
it. Style, search and font are in lectures/page/. Each heading has the name that GitHub gives it, and knows the name of
the same heading in the other language.
"""

import functools
import itertools
import re
import tomllib
from typing import NamedTuple

import jinja2
import pypandoc

from lectures.source.excerpts import HERE, LECTURES, TEMPLATES

PAGES = {"en": "index.html", "zh": "index.zh.html"}
SLIDES = {"en": "slides.html", "zh": "slides.zh.html"}
LANGUAGE_TAGS = {"en": "en", "zh": "zh-Hans"}
DECK = tomllib.loads((HERE / "deck.toml").read_text(encoding="utf-8"))["group"]
WORDS = tomllib.loads((HERE / "words.toml").read_text(encoding="utf-8"))  # the page's own, by language
HEADING = re.compile(r'<h([1-6]) id="([^"]+)">(.*?)</h\1>', re.DOTALL)
FUNCTION = (  # ln and the like: a name and the sign that it is applied, or, in brackets that grow, the name alone
    r"(?:<mrow><mi[^>]*>[a-z]+</mi><mo>&#8289;</mo></mrow>"
    r'|(?:(?<=</mo>)|(?<=<mrow>))<mi mathvariant="normal">[a-z]{2,}</mi>)'
)
LIMIT = r"<munder><mi[^>]*>[a-z]{2,}</mi>(?:(?!</?munder>).)*</munder>"  # max with what stands under it
THIN_SPACE = '<mspace width="0.167em"></mspace>'
LONG = 40  # characters of TeX: a formula in a line that a telephone's screen is too narrow for


class Heading(NamedTuple):
    """A heading of the page: its level, its name in links, what it says as HTML, and its name in the other language."""

    level: int
    name: str
    title: str
    other: str = ""

    @property
    def number(self) -> str | None:
        """The slides that a section is about, as its title names them: "22-25"."""
        match = re.match(r"(?:Slides?|幻灯片) ([\d-]+)", self.title)
        return match and match[1]

    @property
    def short(self) -> str:
        """The title without the slides' numbers."""
        title = re.sub(r"^(?:Slides?|幻灯片) [\d-]+ ?[:：] ?", "", self.title)  # noqa: RUF001
        return title[:1].upper() + title[1:]


@functools.cache
def to_html(markdown: str) -> str:
    """GitHub's Markdown as HTML with MathML, without what stands around it."""
    options = ["--mathml", "--wrap=none", f"--lua-filter={TEMPLATES / 'page.lua'}", f"--resource-path={LECTURES}"]
    return pypandoc.convert_text(markdown, "html5", format="gfm+tex_math_dollars", extra_args=options)


def headings(body: str) -> list[Heading]:
    """All headings of an HTML text, in order."""
    return [Heading(int(level), name, title) for level, name, title in HEADING.findall(body)]


def pair(here: list[Heading], there: list[Heading]) -> list[Heading]:
    """The headings with the names of those of the other language, which has the same ones in the same order."""
    for heading, other in itertools.zip_longest(here, there, fillvalue=Heading(0, "", "nothing")):
        if (heading.level, heading.number) != (other.level, other.number):
            raise ValueError(f"The notes' languages have different headings: {heading.title} where {other.title} is.")
    return [heading._replace(other=other.name) for heading, other in zip(here, there, strict=True)]


def companions(group: dict, language: str) -> dict[str, str]:
    """What goes with a group of slides, by kind: its script, notebook and test, from lectures/, and its slide."""
    notebooks = {"en": "notebooks", "zh": "notebooks/zh"}[language]
    return {
        "script": f"../lecture10_vae/{group['script']}.py",
        "notebook": f"../{notebooks}/{group['notebook']}.ipynb",
        "test": f"../tests/test_{group['script']}.py",
        "slide": f"{SLIDES[language]}#slides-{group['slides']}",
    }


def render_template(name: str, language: str, pages: dict[str, str], **values: object) -> str:
    """A template with values, the page's own words, and the same page in the other language."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        undefined=jinja2.StrictUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    (other,) = {*LANGUAGE_TAGS} - {language}
    return environment.get_template(name).render(
        words=WORDS[language],
        tag=LANGUAGE_TAGS[language],
        other={"page": pages[other], "tag": LANGUAGE_TAGS[other], "name": WORDS[other]["name"]},
        **values,
    )


def finish_formulas(body: str) -> str:
    """What pandoc's MathML lacks: TeX's thin space beside names of functions, braces that are always drawn whole.

    A long brace is put together of pieces, and Chromium leaves some of them out where it paints by tiles; so the style
    sheet draws it. A formula that is wider than the page is let scroll in itself.
    """
    braced = re.sub(r'<mo accent="true">(?:⏟|&#9183;)</mo></munder>', "</mrow>", body)
    body = braced.replace("<munder><munder><mrow>", '<munder><mrow class="braced"><mrow>')
    body = re.sub(rf"({FUNCTION}|{LIMIT})(?=<m(?!o))", rf"\1{THIN_SPACE}", body)
    body = re.sub(rf"(</m(?!o)\w+>)(?={FUNCTION})", rf"\1{THIN_SPACE}", body)
    body = re.sub(r'<math display="block".*?</math>', r'<span class="formula">\g<0></span>', body, flags=re.DOTALL)

    def join(match: re.Match) -> str:
        """The formula and the punctuation after it in one piece, between which a line could end otherwise."""
        return f'<span class="{"long" if len(match["tex"]) > LONG else "joined"}">{match[0]}</span>'

    inline = r'<math display="inline"(?:(?!</math>).)*<annotation[^>]*>(?P<tex>[^<]*)</annotation></semantics></math>'
    return re.sub(rf"{inline}[,.;:?，。；：、？]?", join, body, flags=re.DOTALL)  # noqa: RUF001


def finish_headings(body: str, named: list[Heading], language: str) -> str:
    """Gives each heading a link to itself, and each section on slides the links to what goes with them."""
    words, of_slides, waiting = WORDS[language], {group["slides"]: group for group in DECK}, iter(named)

    def replace(_) -> str:
        heading = next(waiting)
        link = f'<a class="anchor" href="#{heading.name}" aria-label="{words["link"]}">#</a>'
        opening = f'<h{heading.level} id="{heading.name}" data-other="{heading.other}">'
        whole = f"{opening}{heading.title} {link}</h{heading.level}>"
        if heading.level != 2 or heading.number not in of_slides:
            return whole
        paths = companions(of_slides[heading.number], language)
        links = "".join(f'<li><a href="{path}">{words[kind]}</a></li>' for kind, path in paths.items())
        return f'{whole}\n<ul class="companions">{links}</ul>'

    return HEADING.sub(replace, body)


def contents(named: list[Heading]) -> list[tuple[Heading, list[Heading]]]:
    """The sections with their parts."""
    sections = []
    for heading in named:
        if heading.level == 2:
            sections.append((heading, []))
        elif heading.level == 3:
            sections[-1][1].append(heading)
    return sections


def render(language: str, notes: dict[str, str]) -> str:
    """The page of one language, from the notes' Markdown in all of them."""
    bodies = {name: to_html(text) for name, text in notes.items()}
    (other,) = {*notes} - {language}
    named = pair(headings(bodies[language]), headings(bodies[other]))
    body = finish_headings(finish_formulas(bodies[language]), named, language)
    shown = {"body": body, "title": named[0].title, "contents": contents(named), "slides": SLIDES[language]}
    return render_template("page.html", language, PAGES, **shown)
