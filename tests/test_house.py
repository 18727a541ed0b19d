"""How the house is built, read from its sources: which way imports run, and that a script holds its slides alone."""

import ast
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
PACKAGE = REPOSITORY / "lecture10_vae"
FILES = sorted(PACKAGE.rglob("*.py"))
SCRIPTS = sorted({*PACKAGE.glob("[!_]*.py")} - {PACKAGE / "tf1.py", PACKAGE / "each_batch.py"})

LAYERS = {  # each may import itself, and those of a lower number
    "tf1": 0, "each_batch": 1, "utils": 2, "studies": 3, "pictures": 4, "scripts": 5, "beyond": 6,
    "outside": 7,
}  # fmt: skip
OWN = {"lecture10_vae", "tests", "notebooks", "benchmarks", "lectures"}
STEPS = {  # gradient steps that a script writes
    "distributions": 0,
    "regression": 1,
    "classification": 1,
    "lower_bound": 1,
    "variational_inference": 2,  # slide 7: on mu and sigma, and on theta
    "amortized_inference": 0,
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
        own = layer(module_name(path))
        for name in imported(path):
            if name.partition(".")[0] in OWN:
                assert layer(name) == own or LAYERS[layer(name)] < LAYERS[own], f"{path} imports {name}"


def test_a_script_imports_no_other_but_slide_7_the_decoder_of_slide_25_and_slide_8_both():
    pairs = {(path.stem, name) for path in SCRIPTS for name in imported(path) if name.startswith("lecture10_vae.")}
    assert {pair for pair in pairs if layer(pair[1]) == "scripts"} == {
        ("variational_inference", "lecture10_vae.vae"),
        ("amortized_inference", "lecture10_vae.vae"),
        ("amortized_inference", "lecture10_vae.variational_inference"),
    }


def test_only_tf1_knows_tensorflow_by_its_own_name():
    files = [path for folder in ("lecture10_vae", "lectures", "tests") for path in (REPOSITORY / folder).rglob("*.py")]
    names = {path.name for path in files for name in imported(path) if name.partition(".")[0] in FRAMEWORK}
    assert names == {"tf1.py"}


def test_nothing_happens_at_import_but_tensorflows_loading():
    allowed = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.ClassDef, ast.Assign, ast.AnnAssign)
    for path in sorted({*FILES} - {PACKAGE / "tf1.py"}):
        docstring, *body = parse(path).body
        assert isinstance(docstring, ast.Expr), path
        for node in body:
            called = isinstance(node, ast.If) and ast.unparse(node.test) == "__name__ == '__main__'"
            assert called or isinstance(node, allowed), f"{path}:{node.lineno}"


def test_scripts_fit_a_reading():
    lengths = {path.name: len(path.read_text(encoding="utf-8").splitlines()) for path in SCRIPTS}
    assert max(lengths.values()) <= 150, lengths
    assert len((PACKAGE / "utils" / "run.py").read_text(encoding="utf-8").splitlines()) <= 180


def test_vae_asks_a_student_to_know_at_most_a_dozen_names_of_ours():
    names = [name for name in imported(PACKAGE / "vae.py") if name.startswith("lecture10_vae.")]
    assert len(names) <= 12


def functions():
    """All functions, with their files' names."""
    for path in FILES:
        yield from ((path.name, node) for node in ast.walk(parse(path)) if isinstance(node, ast.FunctionDef))


def test_functions_fit_a_screen():
    """All but a `main`, which holds its flags with what they mean; of its body, what is projected."""
    lengths = {(file, node.name): node.end_lineno - node.lineno + 1 for file, node in functions()}
    assert not {which: lines for which, lines in lengths.items() if lines > 40 and which[1] != "main"}
    bodies = {file: node.end_lineno - node.body[1].lineno + 1 for file, node in functions() if node.name == "main"}
    assert len(bodies) >= len(STEPS)
    assert not {file: lines for file, lines in bodies.items() if lines > 35}


@pytest.mark.parametrize("name", STEPS)
def test_script_writes_its_step_once_and_knows_nothing_of_mini_batches_in_its_graph(name):
    tree = parse(PACKAGE / f"{name}.py")
    calls = [node.func for node in ast.walk(tree) if isinstance(node, ast.Call)]
    assert sum(isinstance(call, ast.Attribute) and call.attr == "minimize" for call in calls) == STEPS[name]
    for build_graph in (node for node in tree.body if getattr(node, "name", "") == "build_graph"):
        assert "batch_size" not in {argument.arg for argument in ast.walk(build_graph) if isinstance(argument, ast.arg)}
        assert ast.unparse(build_graph.body[-1]) == "return SimpleNamespace(**locals())"


def test_every_script_is_looked_at():
    assert {path.stem for path in SCRIPTS} == {*STEPS, "show_runs"}
