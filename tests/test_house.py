"""How the house is built, read from its sources: which way imports run, and that a script holds its slides alone."""

import ast
import re
from pathlib import Path

import pytest

from lecture10_vae.utils import run

REPOSITORY = Path(__file__).resolve().parents[1]
PACKAGE = REPOSITORY / "lecture10_vae"
FILES = sorted(PACKAGE.rglob("*.py"))
SCRIPTS = sorted({*PACKAGE.glob("[!_]*.py")} - {PACKAGE / "tf1.py"})

LAYERS = ["tf1", "utils", "studies", "pictures", "scripts", "beyond", "outside"]  # each may import those before it
OWN = {"lecture10_vae", "tests", "notebooks", "benchmarks", "lectures"}
STEPS = {  # gradient steps that a script writes
    "distributions": 0,
    "regression": 1,
    "classification": 1,
    "lower_bound": 1,
    "variational_inference": 2,  # slide 7: on mu and sigma, and on theta
    "vae": 1,
    "bayesian_network": 1,
}
FRAMEWORK = {"tensorflow", "tf_keras", "keras", "tensorflow_probability"}


def parse(path):
    return ast.parse(path.read_text(encoding="utf-8"))


def imported(path):
    """The full names of all that a file imports, inside of its functions, too."""
    for node in ast.walk(parse(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports by a relative name"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def layer(name):
    """The layer of a module by its full name."""
    package, *parts = name.split(".")
    if package != "lecture10_vae":
        return "outside"
    return parts[0] if parts and parts[0] in LAYERS else "scripts"


def module_name(path):
    return ".".join(path.relative_to(REPOSITORY).with_suffix("").parts)


def test_imports_run_one_way():
    for path in FILES:
        before = LAYERS[: LAYERS.index(layer(module_name(path))) + 1]
        for name in imported(path):
            if name.partition(".")[0] in OWN:
                assert layer(name) in before, f"{path} imports {name}"


def test_a_script_imports_no_other_but_slide_7_the_decoder_of_slide_25():
    pairs = {(path.stem, name) for path in SCRIPTS for name in imported(path) if name.startswith("lecture10_vae.")}
    assert {pair for pair in pairs if layer(pair[1]) == "scripts"} == {
        ("variational_inference", "lecture10_vae.vae"),
        ("variational_inference", "lecture10_vae.load_run.load_run"),  # the trained VAE, which slide 8 looks at
        ("variational_inference", "lecture10_vae.load_run.change_of_source"),  # whether that is vae.py's still
    }


def test_only_tf1_knows_tensorflow_by_its_own_name():
    files = [path for folder in ("lecture10_vae", "lectures", "tests") for path in (REPOSITORY / folder).rglob("*.py")]
    names = {path.name for path in files for name in imported(path) if name.partition(".")[0] in FRAMEWORK}
    assert names == {"tf1.py"}


def test_scripts_fit_a_reading():
    lengths = {path.name: len(path.read_text(encoding="utf-8").splitlines()) for path in SCRIPTS}
    assert lengths["vae.py"] <= 150
    assert max(lengths.values()) <= 200, lengths


def test_functions_fit_a_screen():
    """All but a script's `main`, which holds its flags with what they mean, and the loop."""
    nodes = ((path.name, node) for path in FILES for node in ast.walk(parse(path)))
    functions = ((file, node) for file, node in nodes if isinstance(node, ast.FunctionDef) and node.name != "main")
    lengths = {(file, node.name): node.end_lineno - node.lineno + 1 for file, node in functions}
    assert not {function: lines for function, lines in lengths.items() if lines > 40}


@pytest.mark.parametrize("name", STEPS)
def test_script_writes_its_step_once_and_knows_nothing_of_mini_batches_in_its_graph(name):
    tree = parse(PACKAGE / f"{name}.py")
    calls = [node.func for node in ast.walk(tree) if isinstance(node, ast.Call)]
    assert sum(isinstance(call, ast.Attribute) and call.attr == "minimize" for call in calls) == STEPS[name]
    (build_graph,) = (node for node in tree.body if getattr(node, "name", "") == "build_graph")
    assert "batch_size" not in {argument.arg for argument in ast.walk(build_graph) if isinstance(argument, ast.arg)}
    assert ast.unparse(build_graph.body[-1]) == "return SimpleNamespace(**locals())"


def test_every_script_is_looked_at():
    assert {path.stem for path in SCRIPTS} == {*STEPS, "show_runs", "load_run"}


def test_fresh_knows_every_picture_by_name():
    drawn = {
        name for path in (PACKAGE / "pictures").glob("*.py") for name in re.findall(r'/ "(\w+)\.png"', path.read_text())
    }
    assert drawn - {"digits"} == set(run._PICTURES)  # the digits are the projector's
