"""Several models of one command, each with a run in a folder of its own below the command's."""

import json
from pathlib import Path

from lecture10_vae.utils.command_line import UserError


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
