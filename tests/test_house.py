"""How the house is built, read from its sources: which way imports run, and that a script holds its slides alone."""

import ast
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
PACKAGE = REPOSITORY / "lecture10_vae"
FILES = sorted(PACKAGE.rglob("*.py"))
NO_SCRIPTS = {PACKAGE / f"{name}.py" for name in ("tf1", "each_batch", "lecture10_vae")}
SCRIPTS = sorted({*PACKAGE.glob("[!_]*.py")} - NO_SCRIPTS)
EXERCISE = REPOSITORY / "lectures" / "exercises" / "vae.py"

# Each may import itself, and those before it
LAYERS = ["tf1", "each_batch", "utils", "studies", "pictures", "scripts", "beyond", "outside"]
OWN = {"lecture10_vae", "tests", "notebooks", "benchmarks", "lectures"}
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


@pytest.mark.parametrize("script", [*SCRIPTS, EXERCISE], ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_python_without_tensorflow_is_told_in_one_line_which_one_to_take(script, tmp_path):
    """-S keeps what is installed from Python, which so has neither TensorFlow nor NumPy nor this package."""
    for path in {script, script.parent / "lecture10_vae.py", PACKAGE / "lecture10_vae.py"}:
        there = tmp_path / path.relative_to(REPOSITORY)
        there.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, there)
    command = [sys.executable, "-S", "-E", str(tmp_path / script.relative_to(REPOSITORY))]
    for python in (None, tmp_path / ".venv" / "bin" / "python"):  # without an environment, and with one
        if python:
            python.parent.mkdir(parents=True)
            python.touch()
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        (line,) = done.stderr.splitlines()
        assert (done.returncode, done.stdout) == (1, "")
        assert (str(python) if python else "requirements.txt") in line


def test_imports_run_one_way():
    for path in FILES:
        own = layer(".".join(path.relative_to(REPOSITORY).with_suffix("").parts))
        for name in imported(path):
            if name.partition(".")[0] in OWN:
                assert layer(name) == own or LAYERS.index(layer(name)) < LAYERS.index(own), f"{path} imports {name}"


def test_a_script_imports_no_other_but_slide_7_the_decoder_of_slide_25_and_slide_8_both():
    assert {
        (path.stem, name) for path in SCRIPTS for name in imported(path) if layer(name) == "scripts" and "." in name
    } == {
        ("variational_inference", "lecture10_vae.vae"),
        ("amortized_inference", "lecture10_vae.vae"),
        ("amortized_inference", "lecture10_vae.variational_inference"),
        ("own_digit", "lecture10_vae.vae"),
    }


def test_only_tf1_knows_tensorflow_by_its_own_name():
    files = [path for folder in ("lecture10_vae", "lectures", "tests") for path in (REPOSITORY / folder).rglob("*.py")]
    names = {path.name for path in files for name in imported(path) if name.partition(".")[0] in FRAMEWORK}
    assert names == {"tf1.py"}


def test_nothing_happens_at_import_but_tensorflows_loading():
    allowed = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.ClassDef, ast.Assign, ast.AnnAssign)
    for path in sorted({*FILES} - NO_SCRIPTS):
        docstring, *body = parse(path).body
        assert isinstance(docstring, ast.Expr), path
        for node in body:
            called = isinstance(node, ast.If) and ast.unparse(node.test) == "__name__ == '__main__'"
            assert called or isinstance(node, allowed), f"{path}:{node.lineno}"


def test_scripts_fit_a_reading_and_functions_a_screen():
    """All but a `main`, which holds its flags with what they mean; of its body, what is projected."""
    lines = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in FILES}
    assert max(lines[path] for path in SCRIPTS) <= 150
    assert lines[PACKAGE / "utils" / "run.py"] <= 180
    for path in FILES:
        for node in (node for node in ast.walk(parse(path)) if isinstance(node, ast.FunctionDef)):
            first, most = (node.body[1], 35) if node.name == "main" else (node, 40)
            assert node.end_lineno - first.lineno < most, f"{path}:{node.lineno}"
    names = [name for name in imported(PACKAGE / "vae.py") if name.startswith("lecture10_vae.")]
    assert len(names) <= 12  # of ours that vae.py asks a student to know


def test_scripts_write_each_step_once_and_know_nothing_of_mini_batches_in_their_graphs():
    steps = {}
    for path in SCRIPTS:
        tree = parse(path)
        calls = [node.func for node in ast.walk(tree) if isinstance(node, ast.Call)]
        steps[path.stem] = sum(isinstance(call, ast.Attribute) and call.attr == "minimize" for call in calls)
        for build_graph in (node for node in tree.body if getattr(node, "name", "") == "build_graph"):
            assert "batch_size" not in ast.unparse(build_graph)
            assert ast.unparse(build_graph.body[-1]) == "return SimpleNamespace(**locals())"
    twice = ["variational_inference"]  # as slide 7 has two
    never = ["distributions", "amortized_inference", "show_runs", "own_digit", "pictures_to_idx"]
    assert steps == dict.fromkeys(steps, 1) | dict.fromkeys(twice, 2) | dict.fromkeys(never, 0)


@pytest.mark.skipif(sys.platform == "win32", reason="there each user has a home folder")
def test_without_a_home_folder_none_is_made_here(tmp_path):
    code = "import os, pwd; del os.environ['HOME']; pwd.getpwuid = lambda user: {}[user]; import lecture10_vae.tf1"
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True)
    assert list(tmp_path.iterdir()) == []
