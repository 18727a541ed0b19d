# ruff: noqa: RUF001, since Chinese has its own punctuation
"""The Chinese notebooks: the English ones' code and outputs, and a text that says the same, in Chinese of its own."""

import re

import nbformat
import pytest

from lectures.source import build
from notebooks import translate
from tests import test_notebooks
from tests.test_lectures import anchors, assert_chinese

NAMES = [path.stem for path in translate.ENGLISH]
ANSWER = "<details><summary>答案</summary>"
WORDS = {"two": "2", "three": "3", "four": "4", "five": "5", "ten": "10", "fifteen": "15", "twenty": "20"}
ASIDES = re.compile(
    r"^(?:图注|输出)：.*$|<!--.*?-->", re.MULTILINE
)  # what pictures and cells say, and the first comment
by_name = pytest.mark.parametrize("name", NAMES)


def english(name):
    return nbformat.read(translate.HERE / f"{name}.ipynb", as_version=4)


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


def commands(text):
    return re.findall(r"^ {4}\S.*$", text, flags=re.MULTILINE)


def spans(text):
    """The names, and `name = number`, that a text has in `...`."""
    return set(re.findall(r"`([^`]+)`", text))


def targets(text):
    return re.findall(r"\]\((.*?)\)", text)


def in_chinese(target):
    """Where a link of an English notebook leads from the Chinese one, which lies a folder deeper: to Chinese notes."""
    if "/" not in target:
        return target  # the next notebook
    if target.startswith("zh/"):
        return f"../{target.removeprefix('zh/')}"  # the notebook in the other language
    file, _, section = target.partition("#")
    if not file.endswith("lecture10_vae.md"):
        return f"../{target}"
    notes = {language: path.read_text(encoding="utf-8") for language, path in build.NOTES.items()}
    section = anchors(notes["zh"])[anchors(notes["en"]).index(section)]  # the headings are paired: page.pair
    return f"../{file.removesuffix('.md')}.zh.md#{section}"


@by_name
def test_notebook_is_what_its_sources_make(name):
    """Fails when one of them has changed since `make notebooks`."""
    assert chinese(name) == translate.make(name)


def test_there_are_no_other_notebooks_and_sources():
    for folder, suffix in ((translate.CHINESE, "ipynb"), (translate.SOURCES, "md")):
        assert sorted(path.stem for path in folder.glob(f"*.{suffix}")) == NAMES


@by_name
def test_code_outputs_and_kernel_are_the_english_ones(name):
    ours, theirs = chinese(name), english(name)
    nbformat.validate(ours)
    assert ours.metadata == theirs.metadata
    assert [(cell.id, cell.cell_type) for cell in ours.cells] == [(cell.id, cell.cell_type) for cell in theirs.cells]
    assert test_notebooks.code_cells(ours) == test_notebooks.code_cells(theirs)
    test_notebooks.assert_sound(ours)


@by_name
def test_both_languages_have_the_same_headings_formulas_code_and_answers_cell_by_cell(name):
    """A name in `...` may come once more, where it is one of the notebook's."""
    all_of_it = "\n".join(cell.source for cell in english(name).cells)
    for en, zh in pairs(name):
        assert re.findall(r"^#+ ", en, re.MULTILINE) == re.findall(r"^#+ ", zh, re.MULTILINE), zh
        assert formulas(en) == formulas(zh)
        assert commands(en) == commands(zh)
        assert spans(en) <= spans(zh), zh
        assert all(span in all_of_it for span in spans(zh)), zh
        assert en.count(test_notebooks.ANSWER) == zh.count(ANSWER) == zh.count("<details>") == zh.count("\n</details>")
        assert len(re.findall(r"^- ", en, re.MULTILINE)) == len(re.findall(r"^- ", zh, re.MULTILINE)), zh


@by_name
def test_both_languages_have_the_same_numbers_cell_by_cell(name):
    for en, zh in pairs(name):
        in_words = {figures for word, figures in WORDS.items() if re.search(rf"\b{word}\b", en, re.IGNORECASE)}
        assert numbers(en) <= numbers(zh) <= numbers(en) | in_words, zh


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


@pytest.mark.parametrize("source", ["<!-- cell a -->\n一", "<!-- cell b -->\n二\n<!-- cell a -->\n一", "一"])
def test_a_missing_or_misplaced_text_is_refused(source):
    cells = [nbformat.v4.new_markdown_cell(text, id=name) for name, text in (("a", "One"), ("b", "Two"))]
    notebook = nbformat.v4.new_notebook(cells=cells)
    with pytest.raises(ValueError, match="text cells are"):
        translate.translate(notebook, translate.read_blocks(source))
    blocks = translate.read_blocks("<!-- cell a -->\n一\n\n<!-- cell b -->\n\n二\n")
    assert [cell.source for cell in translate.translate(notebook, blocks).cells] == ["一", "二"]
