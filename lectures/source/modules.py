"""Joins a page's JavaScript modules into one script: a page that is opened from a file may not import."""

import graphlib
import re
from pathlib import Path

IMPORT = re.compile(r'^import (\{[^}]*\}|\* as \w+) from "(\./|\.\./)([\w/]+)\.js";', re.MULTILINE)


def join(entry: Path) -> str:
    """The module and all that it imports as one script, each after those that it imports itself."""
    texts, imports = {}, {}
    waiting = [entry.resolve()]
    while waiting:
        path = waiting.pop()
        if path not in texts:
            texts[path] = path.read_text(encoding="utf-8")
            imports[path] = [(path.parent / f"{up}{name}.js").resolve() for _, up, name in IMPORT.findall(texts[path])]
            waiting += imports[path]
    order = [*graphlib.TopologicalSorter(imports).static_order()]
    if len({path.stem for path in order}) < len(order):
        raise ValueError(f"two modules have one name: {sorted(path.stem for path in order)}")
    return "\n".join(as_function(path.stem, texts[path]) for path in order)


def as_function(name: str, text: str) -> str:
    """A module as a constant, its name, with what it exports; what it imports are other such constants."""
    exports = re.findall(r"^export (?:async )?(?:function|class|const) (\w+)", text, flags=re.MULTILINE)
    live = re.findall(r"^export let (\w+)", text, flags=re.MULTILINE)  # which change, and so are read anew each time
    text = IMPORT.sub(lambda found: f"const {found[1].removeprefix('* as ')} = {Path(found[3]).name}_js;", text)
    text = re.sub(r"^export ", "", text, flags=re.MULTILINE)
    names = [*exports, *(f"get {name}() {{ return {name}; }}" for name in live)]
    return f"const {name}_js = (() => {{\n{text}\nreturn {{ {', '.join(names)} }};\n}})();\n"
