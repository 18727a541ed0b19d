"""The notebooks, run from fresh kernels: without a warning, from any folder, and true to the numbers that they cite."""

import copy
import re
import sys

import nbformat
import pytest

from notebooks.refresh import NOTEBOOKS, execute

CITED = re.compile(r"`([^`=]+) = (-?[\d,]*\.?\d+)`")  # in the text: `name = number`
PRINTED = re.compile(r"^ *(.+?) = (-?[\d,]*\.?\d+)", re.MULTILINE)  # by a cell
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
        found = printed.get(name, [])
        if not any(abs(value - float(number.replace(",", ""))) <= 1.001 * last_digit for value in found):
            missing.append(f"{name} = {number}, printed {found}")
    return missing


def assert_sound(notebook):
    assert {output.output_type for output in outputs(notebook)} <= {"stream", "execute_result", "display_data"}
    assert [output.text for output in outputs(notebook) if output.get("name") == "stderr"] == []
    assert "Warning" not in printed_by(notebook)
    assert str(NOTEBOOKS[0].parents[1]) not in printed_by(notebook)
    assert cited_but_not_printed(notebook) == []


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
    assert [link for link in links if not (path.parent / link).exists()] == []


@by_notebook
def test_notebook_runs_from_a_fresh_kernel_in_any_folder(path, tmp_path):
    notebook = nbformat.read(path, as_version=4)
    notebook.cells.insert(0, nbformat.v4.new_code_cell("import sys\nprint(sys.executable)"))
    by_sliders = execute(notebook, tmp_path)
    assert outputs(notebook)[0].text.strip() == sys.executable  # the kernel is the environment's own
    del notebook.cells[0]
    sliders = [cell for cell in code_cells(notebook) if cell.source.startswith("interact(")]
    assert [output["output_type"] for output in by_sliders] == ["display_data"] * len(sliders)
    assert_sound(notebook)
    assert list(tmp_path.iterdir()) == []
    committed = nbformat.read(path, as_version=4)
    assert [len(cell.outputs) for cell in code_cells(notebook)] == [len(cell.outputs) for cell in code_cells(committed)]


def assert_runs_twice_in_a_kernel(path, folder):
    notebook = nbformat.read(path, as_version=4)
    once = len(notebook.cells)
    notebook.cells += copy.deepcopy(notebook.cells)
    for number, cell in enumerate(notebook.cells):
        cell.id = str(number)
    execute(notebook, folder)
    assert_sound(notebook)
    for first, second in zip(notebook.cells[:once], notebook.cells[once:], strict=True):
        if first.cell_type == "code":
            texts = [[output.text for output in cell.outputs if "text" in output] for cell in (first, second)]
            assert texts[0] == texts[1]


def test_notebook_runs_twice_in_a_kernel(tmp_path):
    assert_runs_twice_in_a_kernel(NOTEBOOKS[-1], tmp_path)


@pytest.mark.slow
@by_notebook
def test_every_notebook_runs_twice_in_a_kernel(path, tmp_path):
    assert_runs_twice_in_a_kernel(path, tmp_path)


def test_a_number_that_no_cell_prints_is_found():
    stream = nbformat.v4.new_output("stream", text="kl = 2.351 nats\nelbo = -1,182.3 nats\n")
    cells = [nbformat.v4.new_code_cell(outputs=[stream], execution_count=1)]
    notebook = nbformat.v4.new_notebook(cells=cells)
    for text, missing in (("`kl = 2.4`", 0), ("`elbo = -1,182`", 0), ("`kl = 2.5`", 1), ("`other = 2.4`", 1)):
        notebook.cells[1:] = [nbformat.v4.new_markdown_cell(f"It is {text}.")]
        assert len(cited_but_not_printed(notebook)) == missing, text
