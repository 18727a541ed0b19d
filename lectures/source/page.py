"""The notes as pages to read in a browser: lectures/*.html, which need no server and no network.

pandoc makes HTML and MathML of the notes' Markdown, with templates/page.lua; templates/page.html is what stands around
it. Style, search and font are in lectures/page/. Each heading has the name that GitHub gives it, and knows the name of
the same heading in the other language. All pages of a language share one table of contents and one search, whose texts
are in page/search.en.js and page/search.zh.js, as a page opened as a file cannot read another.
"""

import functools
import itertools
import json
import re
import tomllib
from typing import NamedTuple

import jinja2
import pypandoc
from bs4 import BeautifulSoup

from lectures.source.excerpts import HERE, LECTURES, TEMPLATES

NAMES = ("lecture10_vae", "experiments", "papers", "working", "questions", "exercises")  # of the texts, in order
LANGUAGE_TAGS = {"en": "en", "zh": "zh-Hans"}
PAGES = {  # by language and name
    language: {name: f"{'index' if name == 'lecture10_vae' else name}{ending}" for name in NAMES}
    for language, ending in (("en", ".html"), ("zh", ".zh.html"))
}
PAGES["zh"]["help"] = "help.zh.html"  # what the scripts print, which is English: of no use in English
SLIDES = {"en": "slides.html", "zh": "slides.zh.html"}
DECK = tomllib.loads((HERE / "deck.toml").read_text(encoding="utf-8"))["group"]
MINUTES = {group["slides"]: group["minutes"] for group in DECK}  # that a section takes to read
WORDS = tomllib.loads((HERE / "words.toml").read_text(encoding="utf-8"))  # the page's own, by language
MOVED = tomllib.loads((HERE / "moved.toml").read_text(encoding="utf-8"))  # anchors that the lecture once had
BLOCKS = "h1, h2, h3, p, li, tr, pre"  # what the search finds; page.js counts them in the same way
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
    kinds = {
        "script": f"../lecture10_vae/{group['script']}.py",
        "notebook": f"../{notebooks}/{group['notebook']}.ipynb",
        "test": f"../tests/test_{group['script']}.py",
        "slide": f"{SLIDES[language]}#slides-{group['slides']}",
    }
    if "playground" in group:
        kinds["edit"] = f"playground.html{WORDS[language]['query']}#slides-{group['playground']}"
    return kinds


def render_template(name: str, language: str, files: dict[str, str], **values: object) -> str:
    """A template with values, the page's own words, and the same page in the other language; files is by language."""
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
        other={"page": files[other], "tag": LANGUAGE_TAGS[other], "name": WORDS[other]["name"]},
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


def finish_headings(body: str, named: list[Heading], language: str, of_slides: dict[str, dict]) -> str:
    """Gives each heading a link to itself, and each section on slides the links to what goes with them."""
    words, waiting = WORDS[language], iter(named)

    def replace(_) -> str:
        heading = next(waiting)
        link = f'<a class="anchor" href="#{heading.name}" aria-label="{words["link"]}">#</a>'
        opening = f'<h{heading.level} id="{heading.name}" data-other="{heading.other}">'
        whole = f"{opening}{heading.title} {link}</h{heading.level}>"
        if heading.level != 2 or heading.number not in of_slides:
            return whole
        paths = companions(of_slides[heading.number], language)
        links = f"<li>{MINUTES[heading.number]} {words['minutes']}</li>"
        links += "".join(f'<li><a href="{path}">{words[kind]}</a></li>' for kind, path in paths.items())
        return f'{whole}\n<ul class="companions">{links}</ul>'

    return HEADING.sub(replace, body)


def contents(name: str, named: dict[str, list[Heading]], files: dict[str, str]) -> list[dict]:
    """The pages with their sections, and the page of this name with its sections' parts."""
    pages = []
    for page, headings_of_page in named.items():
        sections = []
        for heading in headings_of_page:
            if heading.level == 2:
                sections.append((heading, []))
            elif heading.level == 3 and page == name:
                sections[-1][1].append(heading)
        here = page == name
        top = headings_of_page[0]
        pages.append({"title": top.title, "top": top.name, "file": "" if here else files[page], "sections": sections})
    return pages


def search_texts(file: str, body: str) -> list[list]:
    """The blocks of a page that the search finds: file, number among its `BLOCKS`, chapter, whether a heading, text."""
    found, chapter, section = [], "", ""
    soup = BeautifulSoup(body, "html.parser")
    for part in soup.select("annotation, .anchor"):
        part.decompose()
    for number, block in enumerate(soup.select(BLOCKS)):
        text = re.sub(r"\s+", " ", block.get_text()).strip()
        is_heading = block.name in ("h1", "h2", "h3")
        if is_heading:
            chapter = chapter if block.name == "h3" else text
            section = f"{chapter} > {text}" if block.name == "h3" else text
        if text and not block.find_parent(class_="companions") and not (block.name == "li" and block.find("p")):
            found.append([file, number, section, int(is_heading), text])
    return found


def render(notes: dict[str, dict[str, str]]) -> dict[str, str]:
    """All pages, and the texts of their searches, by file, from the notes' Markdown by language and name."""
    html = {language: {name: to_html(text) for name, text in texts.items()} for language, texts in notes.items()}
    files = {}
    for language, bodies in html.items():
        (other,) = {*html} - {language}
        named = {
            name: pair(headings(body), headings(html[other][name])) if name in html[other] else headings(body)
            for name, body in bodies.items()
        }
        texts = []
        for name, body in bodies.items():
            of_slides = {group["slides"]: group for group in DECK} if name == "lecture10_vae" else {}
            body = finish_headings(finish_formulas(body), named[name], language, of_slides)
            file = PAGES[language][name]
            texts += search_texts(file, body)
            shown = {"body": body, "title": named[name][0].title, "slides": SLIDES[language]}
            shown["contents"] = contents(name, named, PAGES[language])
            shown["moved"] = json.dumps(MOVED[language], ensure_ascii=False) if name == "lecture10_vae" else ""
            shown |= {"search": f"page/search.{language}.js", "file": file}
            both = {tag: PAGES[tag].get(name, PAGES[tag]["working"]) for tag in PAGES}
            files[file] = render_template("page.html", language, both, **shown)
        lines = ",\n".join(json.dumps(text, ensure_ascii=False) for text in texts)
        comment = "// Made by make lectures: what the search of the notes finds, as page.py's search_texts has it"
        files[f"page/search.{language}.js"] = f"{comment}\nconst TEXTS = [\n{lines}\n];\n"
    return files
