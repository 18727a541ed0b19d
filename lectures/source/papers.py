"""What the papers' models of lecture10_vae/beyond came to: `python -m lectures.source.papers` records it.

They train for hours, and not all on one day: a run that is not there keeps what papers.json holds of it.
"""

import json
import re
import shutil
import statistics
from fnmatch import fnmatch
from pathlib import Path

PAPERS = Path(__file__).with_name("papers.json")
FIGURES = Path(__file__).parents[1] / "figures"
PICTURES = {  # what the notes show, by its name there
    "paper_iwae_k1.png": "paper_iwae/k1/pictures/results.png",
    "paper_cremer_estimates.png": "paper_cremer/pictures/estimates.png",
    "paper_aevb_bounds.png": "paper_aevb/bounds.png",
    "paper_aevb_divergences.png": "paper_aevb/divergences.png",
    "paper_bbb_epochs.png": "paper_bbb/pictures/epochs.png",
    "paper_bbb_gradients.png": "paper_bbb/pictures/gradients.png",
    "paper_bbb_pruning.png": "paper_bbb/pictures/pruning.png",
    "paper_beta_curve.png": "paper_beta/curve.png",
    "paper_beta_warm_up.png": "paper_beta/warm_up.png",
}


USED = (  # by the texts: runs by their folder
    *(f"paper_iwae/{name}" for name in ("k1", "k5", "k5_more", "k5_last", "k50", "vae5", "vae50", "schedule", "quick")),
    *("paper_iwae_equal/*", "paper_cremer", "paper_cremer_train", "paper_aevb", "paper_beta"),
    *("paper_bbb/*", "paper_bbb_grid/*"),
)
CURVES = (  # of these, what a picture shows by epoch
    *("paper_iwae/k1", "paper_bbb/sgd", "paper_bbb/dropout", "paper_bbb/gaussian", "paper_bbb/mixture"),
    "paper_bbb/short_*",
)


def record(runs: Path = Path("runs")) -> dict[str, dict]:
    """For each finished run in runs/paper_* that is used, by its path there: results, and epochs that were measured."""
    from lectures.source.measure import history  # here, since rendering needs no TensorFlow

    recorded = {}
    for path in sorted(runs.glob("paper_*/**/results.json")):
        results = json.loads(path.read_text(encoding="utf-8"))
        curve = [epoch for epoch in history(path.parent) if "test" in epoch]
        recorded[path.parent.relative_to(runs).as_posix()] = results | ({"curve": curve} if curve else {})
    return keep(recorded)


def keep(recorded: dict[str, dict]) -> dict[str, dict]:
    """What the texts need: no other run, a curve for its picture alone, and no path of this machine."""
    kept = {}
    for name, results in recorded.items():
        dropped = {"data_dir"} if matches(name, CURVES) else {"data_dir", "curve"}
        if matches(name, USED):
            kept[name] = {key: value for key, value in results.items() if key not in dropped}
    return kept


def matches(name: str, patterns: tuple[str, ...]) -> bool:
    """Whether a run is one of these."""
    return any(fnmatch(name, pattern) for pattern in patterns)


def load() -> dict[str, dict]:
    """What is recorded."""
    return json.loads(PAPERS.read_text(encoding="utf-8"))


def read() -> dict[str, dict]:
    """What the texts are told: what is recorded, and by "over_seeds" what several runs came to that differ by seed."""
    recorded = load()
    return recorded | {"over_seeds": over_seeds(recorded)}


def over_seeds(recorded: dict[str, dict]) -> dict[str, dict]:
    """Of runs "k1_0" and "k1_1", or "k1" and "k1_1", by "k1": each number's mean and stddev, and how many they are.

    Where there is one run, the stddev is None.
    """
    groups = {}
    for name, results in recorded.items():
        groups.setdefault(re.sub(r"_\d$", "", name), []).append(results)
    return {name: average(runs) for name, runs in groups.items()}


def average(runs: list[dict]) -> dict[str, object]:
    """Each number that all runs have, mean and stddev, and the `seeds`, how many they are."""
    numbers = {"seeds": len(runs)}
    for key, value in runs[0].items():
        if type(value) in (int, float) and all(key in run for run in runs):
            values = [run[key] for run in runs]
            stddev = statistics.stdev(values) if len(values) > 1 else None
            numbers[key] = {"mean": statistics.mean(values), "stddev": stddev}
    return numbers


def copy_pictures(runs: Path = Path("runs")) -> None:
    """Those of the runs that are there, into figures/."""
    for name, path in PICTURES.items():
        if (runs / path).exists():
            shutil.copyfile(runs / path, FIGURES / name)


if __name__ == "__main__":
    PAPERS.write_text(json.dumps(keep(load()) | record(), indent=1) + "\n", encoding="utf-8")
    copy_pictures()
