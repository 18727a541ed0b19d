"""Makes one file of a page's parts: page.html, words.toml, styles, JavaScript modules, and what is recorded for it.

A page that is opened from a file may neither fetch nor import, so that its modules are joined into one script.
"""

import graphlib
import json
import re
import tomllib
from pathlib import Path

import jinja2

IMPORT = re.compile(r'^import (\{[^}]*\}|\* as \w+) from "(\./|\.\./)([\w/]+)\.js";', re.MULTILINE)


def write_page(target: Path, parts: Path, entry: str, styles: list[Path], recorded: dict, **values: object) -> None:
    """Writes a page, and says how large it is.

    Args:
        parts: the folder with page.html, words.toml and the modules.
        entry: the module that imports all others.
        styles: files of CSS, in their order.
        recorded: what the scripts read as JSON, by name, besides the words.
        values: what page.html has besides.
    """
    as_json = {name: to_json(part) for name, part in {"words": read_words(parts), **recorded}.items()}
    style = "".join(path.read_text(encoding="utf-8") for path in styles)
    environment = jinja2.Environment(loader=jinja2.FileSystemLoader(parts), undefined=jinja2.StrictUndefined)
    template = environment.get_template("page.html")
    page = template.render(style=style, script=join(parts / f"{entry}.js"), **as_json, **values)
    target.write_text(page, encoding="utf-8")
    print(f"{target}, {target.stat().st_size / 1e6:.2f} MB")


def read_words(parts: Path) -> dict[str, dict[str, str]]:
    """A page's texts by key, each as {"en": ..., "zh": ...}."""
    return tomllib.loads((parts / "words.toml").read_text(encoding="utf-8"))


def to_json(part: object) -> str:
    """JSON for a page, with no end of a script in it."""
    return json.dumps(part, ensure_ascii=False, separators=(",", ":")).replace("</", "<\\/")


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
