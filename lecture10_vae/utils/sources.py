"""What a run knows of the source that it was trained by: a digest of each definition, comments and docstrings apart."""

import ast
import hashlib
from pathlib import Path


def digests(*files: str) -> dict[str, str]:
    """For each definition of the files a digest of its source, as "make_decoder in vae.py"; one for what is between."""
    digest = {}
    for file in map(Path, files):
        loose = []
        for node in ast.parse(file.read_text(encoding="utf-8")).body:
            for inner in ast.walk(node):
                if isinstance(inner, ast.FunctionDef | ast.ClassDef) and ast.get_docstring(inner) is not None:
                    inner.body = inner.body[1:]
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                digest[f"{node.name} in {file.name}"] = _digest(ast.dump(node))
            elif not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)):  # the file's docstring
                loose.append(ast.dump(node))
        digest[file.name] = _digest("\n".join(loose))
    return digest


def describe_change(earlier: dict, now: dict) -> str:
    """What two configurations differ in, as a phrase; an empty one if in nothing."""
    changes = []
    for name in now | earlier:
        before, after = earlier.get(name), now.get(name)
        if before == after:
            continue
        if name == "source":
            before = before if isinstance(before, dict) else {}
            places = [place for place in after | before if before.get(place) != after.get(place)]
            changes.append(f"the source has changed since: {', '.join(places[:3])}")
        else:
            changes.append(f"{name} was {before}, now {after}")
    return "; ".join(changes)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]
