"""Every formula of the Markdown reaches GitHub's MathJax as it is written, and is read by JupyterLab and VS Code, too.

GitHub renders a text with cmark-gfm and then looks for dollars in what came out. So backslashes before punctuation are
gone by then, underscores and stars may have become emphasis, and a formula must lie in one piece of plain text. What
else it asks for is told by its issues: github/markup 1547, 1575, 1688, 1742, 1745, 1746. JupyterLab and VS Code read
dollars alone.
"""

import re

import cmarkgfm
import pytest
from bs4 import BeautifulSoup

from lectures.source import build

# A letter or digit of any script after the last dollar, or a third dollar, makes it no formula.
INLINE = re.compile(r"(?<!\S)\$(?![\s$])([^$\n]+?)(?<!\s)\$(?![\w$])")
DISPLAYED = re.compile(r"\A\$\$\n([^$]+)\n\$\$\Z")
SOURCE = re.compile(r"^\$\$\n(.+?)\n\$\$$|(?<!\$)\$(?!\$)(.+?)\$", re.DOTALL | re.MULTILINE)
NOT_ALLOWED = r"\\(operatorname|mbox|phantom|newcommand|def|require|href|style|class|cssId|unicode)\b"


def shown(markdown):
    """The formulas that GitHub finds, in order, and the text that is left, which must have no dollar."""
    formulas, rest = [], ""
    html = BeautifulSoup(cmarkgfm.github_flavored_markdown_to_html(markdown), "html.parser")
    for text in html.find_all(string=True):
        tags = {parent.name for parent in text.parents}
        if "code" in tags:
            continue
        if {"em", "strong", "a", "details", "del", "sub", "sup"} & tags:
            rest += text
        elif (displayed := DISPLAYED.match(text)) and not {"li", "td"} & tags:
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
    assert bool(formulas) == (path.parent == build.LECTURES and path.name != "help.zh.md")
    assert "$" not in rest
    for formula in formulas:
        assert not re.search(NOT_ALLOWED, formula), formula


def test_what_github_would_spoil_is_seen():
    emphasis = r"$\mathbb{E}_{Q}$ and $\mathbb{E}_{P}$."
    for markdown in (r"A set $\{1, 2\}$.", emphasis, "于是 $x$变小。", "**Bold $x$.**", "- $$\n  y\n  $$"):
        formulas, rest = shown(markdown)
        assert formulas != written(markdown) or "$" in rest
