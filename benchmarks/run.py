"""Runs the contenders in turns, compares them, and writes results.json, results.md and results.png here.

    make bench

Each round runs every contender once, with a seed of its own, so that a machine that slows down slows all alike; every
second round in the opposite order. A contender's epoch is the median of its epochs but the first, which compiles; the
table has the medians of the rounds. A round's floor is the fastest of floor.py's ways in that round.
"""

import argparse
import json
import math
import os
import platform
import statistics
import sys
import tempfile
from importlib import metadata
from pathlib import Path

import children
import growth
import report

SCRIPTS = (  # in this order: amortized_inference measures the VAE
    "lower_bound",
    "variational_inference",
    "vae",
    "amortized_inference",
    "distributions",
    "regression",
    "classification",
    "bayesian_network",
)
STEADY = 0.1  # of an epoch: what may lie between rounds if they are to be compared


def run_round(seed: int, epochs: int) -> dict[str, dict]:
    """What each contender prints, and under "floors" what each way to the floor does."""
    done, order = {}, [*children.CONTENDERS, *children.FLOORS]
    for name in order if seed % 2 == 0 else order[::-1]:
        if name in children.FLOORS:
            done[name] = run = children.run_floor(name, epochs)
            print(f"Round {seed + 1}  {steady(run):6.2f} s an epoch's products, {name}", flush=True)
        else:
            done[name] = run = children.run_contender(name, epochs=epochs, seed=seed)
            times = f"{steady(run):6.2f} s an epoch{run['job']:7.1f} s the job  test bound {run['bound']:.2f}"
            print(f"Round {seed + 1}  {times}, {name}", flush=True)
    floors = {title: done.pop(title) for title in children.FLOORS}
    fastest = min(floors, key=lambda title: steady(floors[title]))
    return {name: done[name] for name in children.CONTENDERS} | {"floor": {"way": fastest, "ways": floors}}


def run_scripts() -> dict[str, dict]:
    """A student's wait for each script, and its peak memory, in a folder without any runs."""
    waits = {}
    with tempfile.TemporaryDirectory() as folder:
        for name in SCRIPTS:
            waits[name] = wait = children.run_script(name, folder)
            print(f"{name}.py {wait['job']:.1f} s", flush=True)
    return waits


def steady(run: dict) -> float:
    """Seconds of an epoch, once everything is compiled; the floor's are those of its fastest way."""
    epochs = run["ways"][run["way"]]["epochs"] if "ways" in run else run["epochs"]
    return statistics.median(epochs[1:])


def far_from_the_rest(bounds: dict[str, list[float]], nats: float = 2.0) -> dict[str, float]:
    """Contenders whose mean test bound is more than `nats` from the median of all means, and by how many nats."""
    means = {name: statistics.mean(values) for name, values in bounds.items()}
    middle = statistics.median(mean for mean in means.values() if math.isfinite(mean))
    return {name: mean - middle for name, mean in means.items() if not abs(mean - middle) <= nats}


def summarize(rounds: list[dict[str, dict]]) -> dict[str, dict]:
    """For each contender the medians of the rounds, ratios to ours, and the bounds; the fastest epoch comes first.

    A ratio's range is that of the rounds, each with itself, and shows how far the medians can be trusted. `spread` is
    how much longer an epoch takes in the slowest round than in the fastest: 0.1 is a tenth.
    """
    measures = {"epoch": steady, "job": lambda run: run["job"], "peak_memory": lambda run: run["peak_memory"]}
    table = {}
    for name in rounds[0]:
        row = {"bounds": [done[name]["bound"] for done in rounds] if name != "floor" else []}
        for what, measure in measures.items() if name != "floor" else [("epoch", steady)]:
            values, ours = ([measure(done[which]) for done in rounds] for which in (name, "ours"))
            ratios = [value / own for value, own in zip(values, ours, strict=True)]
            row[what], row[f"{what}_ratio"] = statistics.median(values), statistics.median(ratios)
            row[f"{what}_ratio_range"] = [min(ratios), max(ratios)]
        epochs = [steady(done[name]) for done in rounds]
        row["spread"] = max(epochs) / min(epochs) - 1
        table[name] = row
    return dict(sorted(table.items(), key=lambda item: item[1]["epoch"]))


def judge_noise(table: dict[str, dict], rounds: int) -> dict:
    """Whether the machine was too noisy to tell, and which contenders' epoch or job can't be told from ours.

    Too noisy: ours or the floor, which do the same in each round, took a tenth longer in one than in another. Not to
    be told from ours: in one round slower, in another faster.
    """
    spread = {name: table[name]["spread"] for name in ("ours", "floor")}
    undecided = {
        what: [name for name, row in table.items() if name != "ours" and _on_both_sides(row.get(f"{what}_ratio_range"))]
        for what in ("epoch", "job")
    }
    return {"too_noisy": rounds < 3 or max(spread.values()) > STEADY, "spread": spread, "undecided": undecided}


def _on_both_sides(ratios: list[float] | None) -> bool:
    return bool(ratios) and ratios[0] <= 1 <= ratios[1]


def compare_to_floor(rounds: list[dict[str, dict]]) -> dict:
    """How many times the floor our epoch takes, its range, each way's median seconds, and in how many rounds it won."""
    ratios = [steady(done["ours"]) / steady(done["floor"]) for done in rounds]
    ways = {
        title: {
            "epoch": statistics.median(steady(done["floor"]["ways"][title]) for done in rounds),
            "won": sum(done["floor"]["way"] == title for done in rounds),
        }
        for title in rounds[0]["floor"]["ways"]
    }
    return {"ours": statistics.median(ratios), "ours_range": [min(ratios), max(ratios)], "ways": ways}


def describe_machine() -> dict:
    """The processor, its cores, and the versions that were compared."""
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    models = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    versions = {"TensorFlow": metadata.version("tensorflow")}
    for file in sorted(children.HERE.glob("requirements-*.txt")):
        first = next(line.split()[0] for line in file.read_text().splitlines() if "==" in line)
        versions |= [first.split("==")]
    return {
        "processor": models[0] if models else platform.processor() or platform.machine(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "versions": versions,
    }


def measure(rounds: int, epochs: int) -> dict:
    """All that results.json holds."""
    runs = [run_round(seed, epochs) for seed in range(rounds)]
    table = summarize(runs)
    return {
        "rounds": rounds,
        "epochs": epochs,
        "machine": describe_machine(),
        "titles": {name: title for name, (_, title) in children.CONTENDERS.items()},
        "table": table,
        "floor": compare_to_floor(runs),
        "noise": judge_noise(table, rounds),
        "scripts": run_scripts(),
        "loops": children.run_loops(),
        "growth": growth.grow(),
        "largest": growth.find_largest(),
        "runs": runs,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3, help="how often each contender runs, each time another seed")
    parser.add_argument("--epochs", type=int, default=15, help="passes over the training images in a run, 2 or more")
    arguments = parser.parse_args()
    if arguments.epochs < 2 or arguments.rounds < 1:
        parser.error("the first epoch compiles: give --epochs 2 or more, and --rounds 1 or more")
    results = measure(arguments.rounds, arguments.epochs)
    (children.HERE / "results.json").write_text(json.dumps(results, indent=1) + "\n")
    (children.HERE / "results.md").write_text(report.markdown(results))
    report.plot(results).savefig(children.HERE / "results.png", dpi=60)
    print(report.markdown(results))
    far = far_from_the_rest({name: row["bounds"] for name, row in results["table"].items() if row["bounds"]})
    if far:
        gaps = ", ".join(f"{name} by {gap:+.2f}" for name, gap in far.items())
        sys.exit(f"Not all reach the same test bound within 2 nats: {gaps}. A seed moves it by 1.2: try more --rounds.")


if __name__ == "__main__":
    main()
