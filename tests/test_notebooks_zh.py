# ruff: noqa: RUF001, since Chinese has its own punctuation
"""The Chinese notebooks: the English ones' code and outputs, and a text that says the same, in Chinese of its own."""

import re

import nbformat
import pytest

from lectures.source import build
from lectures.source import translate_notebooks as translate
from tests import test_notebooks
from tests.test_lectures import anchors, assert_chinese

NAMES = [path.stem for path in translate.ENGLISH]
ANSWER = "<details><summary>答案</summary>"
WORDS = {"two": "2", "three": "3", "four": "4", "five": "5", "ten": "10", "fifteen": "15", "twenty": "20"}
ASIDES = re.compile(r"^(?:图注|输出)：.*$|<!--.*?-->", re.MULTILINE)  # what pictures say, and the first comment
by_name = pytest.mark.parametrize("name", NAMES)


def english(name):
    return nbformat.read(translate.NOTEBOOKS / f"{name}.ipynb", as_version=4)


def chinese(name):
    return nbformat.read(translate.CHINESE / f"{name}.ipynb", as_version=4)


def pairs(name):
    """The texts of each text cell in both languages, without what only the Chinese has."""
    cells = zip(english(name).cells, chinese(name).cells, strict=True)
    return [(en.source, ASIDES.sub("", zh.source)) for en, zh in cells if en.cell_type == "markdown"]


def formulas(text):
    """What stands in $$ and in $, words left out."""
    text = re.sub(r"\\text\{[^}]*\}", r"\\text{}", re.sub(r"`.*?`", "", text))
    displayed = re.findall(r"\$\$.*?\$\$", text, flags=re.DOTALL)
    return displayed, set(re.findall(r"\$[^$]+\$", re.sub(r"\$\$.*?\$\$", "", text, flags=re.DOTALL)))


def numbers(text):
    """The figures of a text, outside of its code, formulas and links, without signs: "22-26" has two."""
    prose = re.sub(r"^ {4}[^\n]*$|\$\$.*?\$\$|\$[^$]+\$|`.*?`|\]\(.*?\)", "", text, flags=re.DOTALL | re.MULTILINE)
    return set(re.findall(r"\d[\d,]*\d(?:\.\d+)?|\d(?:\.\d+)?", prose))


def targets(text):
    return re.findall(r"\]\((.*?)\)", text)


def in_chinese(target):
    """Where a link of an English notebook leads from the Chinese one, which lies a folder deeper: to Chinese notes."""
    if "/" not in target:
        return target  # the next notebook
    if target.startswith("zh/"):
        return f"../{target.removeprefix('zh/')}"  # the notebook in the other language
    file, _, section = target.partition("#")
    folder, _, name = file.removesuffix(".md").rpartition("/")
    if not (folder.endswith("lectures") and name in build.PAGES["en"]):
        return f"../{target}"
    notes = {language: pages[name].read_text(encoding="utf-8") for language, pages in build.PAGES.items()}
    section = anchors(notes["zh"])[anchors(notes["en"]).index(section)]  # the headings are paired: page.pair
    return f"../{file.removesuffix('.md')}.zh.md#{section}"


@by_name
def test_notebook_is_what_its_sources_make(name):
    """Fails when one of them has changed since `make notebooks`."""
    assert chinese(name) == translate.make(name)
    nbformat.validate(chinese(name))
    test_notebooks.assert_quiet(chinese(name))
    for folder, suffix in ((translate.CHINESE, "ipynb"), (translate.SOURCES, "md")):
        assert sorted(path.stem for path in folder.glob(f"*.{suffix}")) == NAMES


@by_name
def test_both_languages_say_the_same_cell_by_cell(name):
    """Headings, formulas, commands, lists, answers; a name in `...` or a number in words may come once more."""
    all_of_it = "\n".join(cell.source for cell in english(name).cells)
    for en, zh in pairs(name):
        for pattern in (r"^#+ ", r"^ {4}\S.*$", r"^- "):
            assert re.findall(pattern, en, re.MULTILINE) == re.findall(pattern, zh, re.MULTILINE), zh
        assert formulas(en) == formulas(zh)
        spans = [set(re.findall(r"`([^`]+)`", text)) for text in (en, zh)]
        assert spans[0] <= spans[1], zh
        assert all(span in all_of_it for span in spans[1]), zh
        in_words = {figures for word, figures in WORDS.items() if re.search(rf"\b{word}\b", en, re.IGNORECASE)}
        assert numbers(en) <= numbers(zh) <= numbers(en) | in_words, zh
        assert en.count(test_notebooks.ANSWER) == zh.count(ANSWER) == zh.count("<details>") == zh.count("\n</details>")


@by_name
def test_links_and_pictures_are_the_english_ones_and_lead_somewhere(name):
    assert f"zh/{name}.ipynb" in targets(english(name).cells[0].source)
    for en, zh in pairs(name):
        assert [in_chinese(target) for target in targets(en)] == targets(zh)
        for target in targets(zh):
            assert (translate.CHINESE / target.partition("#")[0]).exists(), target


@by_name
def test_each_plot_is_explained_in_chinese(name):
    """The next text says what a picture shows, but for rows of images, which have no words in them."""
    cells = chinese(name).cells
    for place, cell in enumerate(cells):
        drawn = cell.cell_type == "code" and any("image/png" in output.get("data", {}) for output in cell.outputs)
        if drawn and not re.search(r"\bdraw_images\(|\bImage\(", cell.source):
            below = next(text for text in cells[place:] if text.cell_type == "markdown")
            assert re.search(r"^图注：", below.source, re.MULTILINE), cell.source


@by_name
def test_text_is_chinese(name):
    text = "\n\n".join(cell.source for cell in chinese(name).cells if cell.cell_type == "markdown").partition("-->")[2]
    assert_chinese(text)
    assert not re.search(rf"[{build.PUNCTUATION}] ", text), "a blank that shows"
    assert not re.search(rf"[{build.CHINESE}{build.PUNCTUATION}]\n(?=[^\s#$|<-])", text), "a line break that shows"


def test_a_missing_or_misplaced_text_is_refused():
    cells = [nbformat.v4.new_markdown_cell(text, id=name) for name, text in (("a", "One"), ("b", "Two"))]
    for source in ("<!-- cell a -->\n一", "<!-- cell b -->\n二\n<!-- cell a -->\n一", "一"):
        with pytest.raises(ValueError, match="text cells are"):
            translate.translate(nbformat.v4.new_notebook(cells=cells), translate.read_blocks(source))
