"""What MAINTAINING.md says that we use of TensorFlow and the packages around it, and the versions of all packages."""

import ast
import re
import tomllib
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
MODULES = ("tf", "tfd", "tf_keras")


def used(file):
    """The dotted names that a file takes from those modules: of tf.nn and tf.nn.relu the second."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Attribute):
            name = ast.unparse(node)
            if re.fullmatch(rf"({'|'.join(MODULES)})(\.\w+)+", name) and "__" not in name:
                yield name


def test_names_that_the_scripts_use_are_those_that_maintainers_are_told():
    folders = REPOSITORY / "lecture10_vae", REPOSITORY / "lecture10_vae" / "utils"
    names = {name for folder in folders for file in folder.glob("*.py") for name in used(file)}
    whole = {name for name in names if not any(other.startswith(f"{name}.") for other in names)}
    text = (REPOSITORY / "MAINTAINING.md").read_text(encoding="utf-8").partition("## When")[0]
    told = [name for block in re.findall(r"^    (?!make)(.+)$", text, re.MULTILINE) for name in block.split()]
    assert sorted(told) == sorted(whole)


def test_constraints_are_what_uv_locks():
    locked = tomllib.loads((REPOSITORY / "uv.lock").read_text(encoding="utf-8"))["package"]
    versions = {package["name"]: package["version"] for package in locked if "registry" in package["source"]}
    constraints = (REPOSITORY / "constraints.txt").read_text(encoding="utf-8")
    assert dict(re.findall(r"^([\w-]+)==([^ \n]+)", constraints, re.MULTILINE)) == versions
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    pinned = [
        *project["dependencies"],
        *(name for extra in project["optional-dependencies"].values() for name in extra),
    ]
    for name, version in (pin.split("==") for pin in pinned if "==" in pin):
        assert versions[name.lower().replace("_", "-")] == version
