"""The notebooks, run in fresh kernels: without a warning, in any folder, twice, and true to what they cite."""

import builtins
import re
import symtable
import sys
from base64 import b64decode

import nbformat
import pytest
from IPython.core.inputtransformer2 import TransformerManager

from notebooks.refresh import NOTEBOOKS, execute

CITED = re.compile(r"`([^`=]+) = (-?[\d,]*\.?\d+)`")  # in the text: `name = number`
PRINTED = re.compile(r"^ *(.+?) = (-?[\d,]*\.?\d+)", re.MULTILINE)  # by a cell
ANSWER = "<details><summary>Answer</summary>"
FEWER_IMAGES = """
from lecture10_vae.utils import mnist

load_all = mnist.load
mnist.load = lambda part: load_all(part).first(2_000)
"""
by_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def outputs(notebook):
    return [output for cell in code_cells(notebook) for output in cell.outputs]


def text_of(notebook):
    return "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")


def printed_by(notebook):
    return "".join(output.text for output in outputs(notebook) if output.output_type == "stream")


def cited_but_not_printed(notebook):
    """What the text cites as `name = number` and no cell prints, to within one in the number's last digit."""
    printed = {}
    for name, number in PRINTED.findall(printed_by(notebook)):
        printed.setdefault(name, []).append(float(number.replace(",", "")))
    missing = []
    for name, number in CITED.findall(text_of(notebook)):
        last_digit = 10.0 ** -len(number.partition(".")[2])
        values = printed.get(name, [])
        if not any(abs(value - float(number.replace(",", ""))) <= 1.001 * last_digit for value in values):
            missing.append(f"{name} = {number}, printed {values}")
    return missing


def assert_sound(notebook):
    assert {output.output_type for output in outputs(notebook)} <= {"stream", "execute_result", "display_data"}
    assert [output.text for output in outputs(notebook) if output.get("name") == "stderr"] == []
    assert "Warning" not in printed_by(notebook)
    assert str(NOTEBOOKS[0].parents[1]) not in printed_by(notebook)
    assert cited_but_not_printed(notebook) == []


def made_and_read(cell):
    """The names that a cell makes, and those that it takes from other cells."""
    tables = [symtable.symtable(TransformerManager().transform_cell(cell.source), "cell", "exec")]
    made = {symbol.get_name() for symbol in tables[0].get_symbols() if symbol.is_assigned() or symbol.is_imported()}
    read = set()
    while tables:
        table = tables.pop()
        tables += table.get_children()
        read |= {symbol.get_name() for symbol in table.get_symbols() if symbol.is_global() and symbol.is_referenced()}
    return made, read - made - set(dir(builtins)) - {"get_ipython"}


def test_there_is_a_notebook_for_each_part():
    assert [path.name[0] for path in NOTEBOOKS] == list("123456")


@by_notebook
def test_notebook_is_committed_as_it_ran(path):
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    assert path.stat().st_size < 1_000_000
    assert [cell.execution_count for cell in code_cells(notebook)] == list(range(1, len(code_cells(notebook)) + 1))
    assert any("image/png" in output.get("data", {}) for output in outputs(notebook))
    assert "widgets" not in notebook.metadata
    assert_sound(notebook)


@by_notebook
def test_text_has_no_number_that_no_cell_prints(path):
    text = text_of(nbformat.read(path, as_version=4))
    assert len(CITED.findall(text)) > 0
    prose = re.sub(r"\$\$.*?\$\$|\$.*?\$|`.*?`|\]\(.*?\)", "", text, flags=re.DOTALL)
    assert re.findall(r"\d+\.\d+|\d+ ?%|\d+ nats|\d+ seconds", prose) == []


@by_notebook
def test_links_lead_somewhere(path):
    text = text_of(nbformat.read(path, as_version=4))
    links = [link for link in re.findall(r"\]\((.*?)\)", text) if not link.startswith("http")]
    assert any("lecture10_vae.md#" in link for link in links)
    for link in links:
        file, _, section = link.partition("#")
        assert (path.parent / file).exists(), link
        if section:
            headings = re.findall(r"^#+ (.+)$", (path.parent / file).read_text(encoding="utf-8"), re.MULTILINE)
            assert section in [re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings], link


@by_notebook
def test_answers_are_folded(path):
    cells = nbformat.read(path, as_version=4).cells
    answers = [place for place, cell in enumerate(cells) if ANSWER in cell.source]
    assert len(answers) > 0
    for place in answers:
        assert cells[place].source.count("<details>") == cells[place].source.count("\n</details>") == 1
        while cells[place := place - 1].cell_type == "code":
            assert cells[place].outputs == [] or cells[place].metadata.get("jupyter") == {"outputs_hidden": True}


@by_notebook
def test_names_have_one_meaning(path):
    """What a cell takes from another, just one cell makes, so that it does not matter which of them ran last."""
    made, read = zip(*map(made_and_read, code_cells(nbformat.read(path, as_version=4))), strict=True)
    for name in set().union(*read):
        assert sum(name in names for names in made) == 1, name


@by_notebook
def test_notebook_runs_twice_in_any_folder(path, tmp_path):
    """All cells, and in the same kernel all of them again: on fewer training images, as that takes less time."""
    notebook = nbformat.read(path, as_version=4)
    count, cells = len(notebook.cells), code_cells(notebook)
    shown = [len(cell.outputs) for cell in cells]
    runs = nbformat.v4.new_notebook(cells=[*notebook.cells, nbformat.v4.new_code_cell(FEWER_IMAGES)])
    runs.cells += [nbformat.v4.new_code_cell(cell.source) for cell in cells]
    by_sliders = execute(runs, tmp_path)
    notebook.cells = runs.cells[:count]
    assert_sound(notebook)
    again = runs.cells[count + 1 :]
    for outputs_of in (code_cells(notebook), again):
        assert [len(cell.outputs) for cell in outputs_of] == shown
    assert [output for cell in again for output in cell.outputs if output.get("name") == "stderr"] == []
    assert list(tmp_path.iterdir()) == []
    assert len(by_sliders) == 2 * sum(cell.source.startswith("interact(") for cell in cells)
    for output in by_sliders:
        assert int.from_bytes(b64decode(output["data"]["image/png"])[16:20]) >= 600  # pixels wide


def test_kernel_is_the_environments_own_and_says_how_to_get_a_missing_package(tmp_path):
    first, *others = [code_cells(nbformat.read(path, as_version=4))[0].source for path in NOTEBOOKS]
    assert set(others) == {first}
    sources = ['import sys\nprint(sys.executable)\nsys.modules["lecture10_vae"] = None', first]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in sources])
    notebook.cells[1].metadata = {"tags": ["raises-exception"]}
    execute(notebook, tmp_path)
    executable, error = outputs(notebook)
    assert executable.text.strip() == sys.executable
    (line,) = error.traceback
    in_english, in_chinese = line.split("没有安装")
    for message in (in_english, in_chinese):
        assert all(command in message for command in ("make jupyter", "pip install -r requirements.txt"))
    assert "\n" not in line


def test_a_number_that_no_cell_prints_is_found():
    stream = nbformat.v4.new_output("stream", text="kl = 2.351 nats\nelbo = -1,182.3 nats\n")
    cells = [nbformat.v4.new_code_cell(outputs=[stream], execution_count=1)]
    notebook = nbformat.v4.new_notebook(cells=cells)
    for text, missing in (("`kl = 2.4`", 0), ("`elbo = -1,182`", 0), ("`kl = 2.5`", 1), ("`other = 2.4`", 1)):
        notebook.cells[1:] = [nbformat.v4.new_markdown_cell(f"It is {text}.")]
        assert len(cited_but_not_printed(notebook)) == missing, text
