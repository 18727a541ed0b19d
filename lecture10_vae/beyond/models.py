"""What the papers' scripts share: several models of one command, each with a run in a folder of its own below it."""

import json
from pathlib import Path

from lecture10_vae.utils.command_line import UserError

import numpy as np


def evaluated_epochs(epochs: int) -> set[int]:
    """About forty, closer together at the beginning, where a bound changes fast."""
    return {0, epochs, *np.geomspace(1, epochs, min(40, epochs)).round().astype(int).tolist()}


def refuse_run(logdir: Path) -> None:
    """Raises UserError if the folder is itself a run's, whose results.json the command would replace."""
    if (logdir / "flags.json").exists():
        raise UserError(f"{logdir} holds a single run: choose another --logdir for several.")


def read_results(folder: Path) -> dict:
    """What results.json says in a folder; empty where there is none, as the run was stopped, or not begun."""
    path = folder / "results.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def write_results(logdir: Path, results: dict) -> dict:
    """Writes results.json for all models together. Returns what it says."""
    results = {name: str(value) if isinstance(value, Path) else value for name, value in results.items()}
    (logdir / "results.json").write_text(json.dumps(results, indent=2, default=float) + "\n", encoding="utf-8")
    print(f"Pictures and numbers: {logdir}")
    return results


def print_table(rows: dict[object, dict[str, float]], columns: list[str]) -> None:
    """Prints a line for each row, with those of its numbers that it has."""
    first = max(len(str(name)) for name in rows)
    print("\n" + " " * first + "".join(f"  {column:>8}" for column in columns))
    for name, numbers in rows.items():
        texts = (f"{numbers[column]:.5g}" if column in numbers else "" for column in columns)
        cells = (f"  {text:>{max(8, len(column))}}" for text, column in zip(texts, columns, strict=True))
        print(f"{name!s:{first}}" + "".join(cells))
