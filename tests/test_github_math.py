"""Every formula of the Markdown reaches GitHub's MathJax as it is written, and is read by JupyterLab and VS Code, too.

GitHub renders a text with cmark-gfm and then looks for dollars in what came out. So backslashes before punctuation are
gone by then, underscores and stars may have become emphasis, and a formula must lie in one piece of plain text. What
else it asks for is told by its issues: a blank before the first dollar and no letter after the last (github/markup
1742), no formula in emphasis, a link or <details>, and none displayed in a list (1745), no backslash before
punctuation (1547, 1746), no braces' underscores that pair (1575), no \\operatorname (1688). JupyterLab and VS Code read
dollars alone.
"""

import re
from html.parser import HTMLParser

import cmarkgfm
import pytest

from lectures.source import build

# A letter or digit of any script after the last dollar, or a third dollar, makes it no formula.
INLINE = re.compile(r"(?<!\S)\$(?![\s$])([^$\n]+?)(?<!\s)\$(?![\w$])")
DISPLAYED = re.compile(r"\A\$\$\n([^$]+)\n\$\$\Z")
SOURCE = re.compile(r"^\$\$\n(.+?)\n\$\$$|(?<!\$)\$(?!\$)(.+?)\$", re.DOTALL | re.MULTILINE)
NOT_ALLOWED = r"\\(operatorname|mbox|phantom|newcommand|def|require|href|style|class|cssId|unicode)\b"


class Plain(HTMLParser):
    """The pieces of plain text of an HTML text, with the tags they are in, outside of code."""

    def __init__(self, html):
        super().__init__()
        self.open, self.pieces = [], [((), "")]
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        if tag not in ("img", "br", "hr", "input"):
            self.open.append(tag)
        self.pieces.append(((), ""))

    def handle_endtag(self, tag):
        while self.open and self.open.pop() != tag:
            pass
        self.pieces.append(((), ""))

    def handle_data(self, data):
        if "code" not in self.open:
            self.pieces[-1] = (tuple(self.open), self.pieces[-1][1] + data)


def shown(markdown):
    """The formulas that GitHub finds, in order, and the text that is left, which must have no dollar."""
    formulas, rest = [], ""
    for tags, text in Plain(cmarkgfm.github_flavored_markdown_to_html(markdown)).pieces:
        if {"em", "strong", "a", "details", "del", "sub", "sup"} & set(tags):
            rest += text
        elif (displayed := DISPLAYED.match(text)) and "li" not in tags and "td" not in tags:
            formulas.append(displayed[1])
        else:
            formulas += INLINE.findall(text)
            rest += INLINE.sub("", text)
    return formulas, rest


def written(markdown):
    """The formulas of a Markdown text as they are written, in order."""
    text = re.sub(r"^ *```.*?^ *```$", "", markdown, flags=re.DOTALL | re.MULTILINE)
    text = re.sub(r"(`+)(?!`).+?(?<!`)\1(?!`)", "", text)
    return [displayed or inline for displayed, inline in SOURCE.findall(text)]


@pytest.mark.parametrize("path", build.TEXTS.values(), ids=build.TEXTS)
def test_github_shows_every_formula_as_it_is_written(path):
    markdown = path.read_text(encoding="utf-8")
    formulas, rest = shown(markdown)
    assert formulas == written(markdown)
    assert "$" not in rest
    for formula in formulas:
        assert not re.search(NOT_ALLOWED, formula), formula


def test_notes_have_formulas():
    assert all(
        len(written(build.TEXTS[name].read_text(encoding="utf-8"))) > 100 for name in build.TEXTS if "lec" in name
    )


@pytest.mark.parametrize(
    "markdown",
    [
        r"A set $\{1, 2\}$.",
        r"A norm $\|x\|$.",
        r"Two $\mathbb{E}_{Q}$ and $\mathbb{E}_{P}$.",
        r"Touched ($x$).",
        "于是，$x$ 变小。",  # noqa: RUF001
        "于是 $x$变小。",
        r"**Bold $x$.**",
        r"[a link $x$](there)",
        "Wrapped $x +\ny$ here.",
        r"Less $a<b>c$.",
        "$$\n\\begin{aligned} a \\\\\nb \\end{aligned}\n$$",
        "- $x$\n\n  $$\n  y\n  $$",
        "| a |\n|---|\n| $P(x|z)$ |",
    ],
)
def test_what_github_would_spoil_is_seen(markdown):
    formulas, rest = shown(markdown)
    assert formulas != written(markdown) or "$" in rest
