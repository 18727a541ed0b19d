"""Runs the contenders in turns, compares them, and writes results.json and results.md here.

    make bench

Each round runs every contender once, with a seed of its own, so that a machine that slows down slows all alike; every
second round in the opposite order. A contender's epoch is the median of its epochs but the first, which compiles; the
table has the medians of the rounds, and ratios to ours: of each round with itself.
"""

import argparse
import json
import math
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from importlib import metadata
from pathlib import Path

HERE = Path(__file__).resolve().parent
OURS = ".venv"
CONTENDERS = {  # script: its environment, and what the table calls it
    "ours": (OURS, "ours: many mini-batches a session.run"),
    "plain": (OURS, "TensorFlow 1: one mini-batch a session.run"),
    "torch_eager": ("benchmarks/.venv-torch", "PyTorch, eager"),
    "torch_fused": ("benchmarks/.venv-torch", "PyTorch, eager, fused Adam"),
    "torch_compile": ("benchmarks/.venv-torch", "PyTorch, fused Adam, torch.compile"),
    "jax_step": ("benchmarks/.venv-jax", "JAX, jitted step"),
    "jax_scan": ("benchmarks/.venv-jax", "JAX, epoch as one lax.scan"),
    "keras_fit": ("benchmarks/.venv-keras", "Keras 3, fit, on JAX"),
}
SCRIPTS = (  # amortized_inference measures the VAE
    "lower_bound",
    "variational_inference",
    "vae",
    "amortized_inference",
    "distributions",
    "regression",
    "classification",
    "bayesian_network",
)
HOLD_BACK = ("OPENBLAS_", "OMP_", "MKL_")  # variables of the shell that keep a library from its best
STEADY = 0.1  # of an epoch: what may lie between rounds if they are to be compared


def environment(**variables: str) -> dict[str, str]:
    """The shell's, without what would hold a library back."""
    return {name: value for name, value in os.environ.items() if not name.startswith(HOLD_BACK)} | variables


def last_line(python: str, script: str, *flags: str) -> dict:
    """The JSON that a script of this folder prints in the end; a script that fails ends all with its words."""
    command = [HERE.parent / python / "bin" / "python", HERE / script, *flags]
    variables = environment(BENCHMARK_STARTED=str(time.time()))
    done = subprocess.run(command, env=variables, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{script} {' '.join(flags)} failed:\n{done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


def run_round(seed: int, epochs: int) -> dict[str, dict]:
    """What each contender prints."""
    done, order = {}, list(CONTENDERS)
    for name in order if seed % 2 == 0 else order[::-1]:
        done[name] = run = last_line(CONTENDERS[name][0], f"{name}.py", f"--epochs={epochs}", f"--seed={seed}")
        times = f"{steady(run):6.2f} s an epoch{run['job']:7.1f} s the job  test bound {run['bound']:.2f}"
        print(f"Round {seed + 1}  {times}, {name}", flush=True)
    return {name: done[name] for name in order}


def run_script(name: str, folder: str) -> dict:
    """A student's own command in a folder: seconds to its first and its last line, and peak memory in bytes."""
    command = [HERE.parent / OURS / "bin/python", HERE.parent / f"lecture10_vae/{name}.py"]
    began = time.time()
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, env=environment(PYTHONUNBUFFERED="1"))
    process.stdout.readline()
    first_line = time.time() - began
    process.stdout.read()
    _, process.returncode, usage = os.wait4(process.pid, 0)
    if process.returncode:
        sys.exit(f"{name}.py failed")
    peak = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return {"first_line": first_line, "job": time.time() - began, "peak_memory": peak}


def run_scripts() -> dict[str, dict]:
    """A student's wait for each script, and its peak memory, in a folder without any runs."""
    waits = {}
    with tempfile.TemporaryDirectory() as folder:
        for name in SCRIPTS:
            waits[name] = run_script(name, folder)
            print(f"{name}.py {waits[name]['job']:.1f} s", flush=True)
    return waits


def steady(run: dict) -> float:
    """Seconds of an epoch, once everything is compiled."""
    return statistics.median(run["epochs"][1:])


def far_from_the_rest(bounds: dict[str, list[float]], nats: float = 2.0) -> dict[str, float]:
    """Contenders whose mean test bound is more than `nats` from the median of all means, and by how many nats."""
    means = {name: statistics.mean(values) for name, values in bounds.items()}
    middle = statistics.median(mean for mean in means.values() if math.isfinite(mean))
    return {name: mean - middle for name, mean in means.items() if not abs(mean - middle) <= nats}


def summarize(rounds: list[dict[str, dict]]) -> dict[str, dict]:
    """For each contender the medians of the rounds, ratios to ours with their range, and the bounds; fastest first.

    `spread` is how much longer an epoch takes in the slowest round than in the fastest: 0.1 is a tenth.
    """
    measures = {"epoch": steady, "job": lambda run: run["job"], "peak_memory": lambda run: run["peak_memory"]}
    table = {}
    for name in rounds[0]:
        row = {"bounds": [done[name]["bound"] for done in rounds]}
        for what, measure in measures.items():
            values, ours = ([measure(done[which]) for done in rounds] for which in (name, "ours"))
            ratios = [value / own for value, own in zip(values, ours, strict=True)]
            row[what], row[f"{what}_ratio"] = statistics.median(values), statistics.median(ratios)
            row[f"{what}_ratio_range"] = [min(ratios), max(ratios)]
        epochs = [steady(done[name]) for done in rounds]
        row["spread"] = max(epochs) / min(epochs) - 1
        table[name] = row
    return dict(sorted(table.items(), key=lambda item: item[1]["epoch"]))


def describe_machine() -> dict:
    """The processor, its cores, and the versions that were compared."""
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    models = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    versions = {"TensorFlow": metadata.version("tensorflow")}
    for file in sorted(HERE.glob("requirements-*.txt")):
        first = next(line.split()[0] for line in file.read_text().splitlines() if "==" in line)
        versions |= [first.split("==")]
    return {
        "processor": models[0] if models else platform.processor() or platform.machine(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "versions": versions,
    }


def markdown(results: dict) -> str:
    """The page results.md."""
    machine, spread = results["machine"], results["table"]["ours"]["spread"]
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    quiet = "quiet enough" if spread <= STEADY else "**too noisy to tell**, measure again"
    head = f"""# The slide's VAE in what a student would pick instead

Made by `make bench`: {results["rounds"]} rounds of {results["epochs"]} epochs on {machine["processor"]}, \
{machine["cores"]} cores, with {versions}.
Ratios are to ours, so that above 1 is slower, or more; medians of the rounds, in brackets from and to.
The job runs from the start of the process to the last epoch's test bound, imports and compilation included.
The machine was {quiet}: from the fastest round to the slowest our epoch grows by {100 * spread:.0f} %.
"""
    rows = [["", "s an epoch", "ratio", "s the job", "ratio", "peak MiB", "ratio", "test bound, nats"]]
    for name, row in results["table"].items():
        ratios = (
            f"{row[f'{what}_ratio']:.2f} ({row[f'{what}_ratio_range'][0]:.2f}-{row[f'{what}_ratio_range'][1]:.2f})"
            for what in ("epoch", "job", "peak_memory")
        )
        values = f"{row['epoch']:.3f}", f"{row['job']:.1f}", f"{row['peak_memory'] / 2**20:.0f}"
        columns = [text for pair in zip(values, ratios, strict=True) for text in pair]
        rows.append([CONTENDERS[name][1], *columns, f"{statistics.mean(row['bounds']):.1f}"])
    waits = [["from command to, seconds", "first line", "last line", "peak MiB"]]
    for name, wait in results["scripts"].items():
        seconds = [f"{wait[what]:.1f}" for what in ("first_line", "job")]
        waits.append([f"{name}.py", *seconds, f"{wait['peak_memory'] / 2**20:.0f}"])
    waits.append(["all", "", f"{sum(wait['job'] for wait in results['scripts'].values()):.1f}", ""])
    ways = {"one_by_one": "one mini-batch a session.run", "without_xla": "many, --plain", "together": "many"}
    loops = [["seconds of an epoch of", *ways.values(), "ratio of first and last"]]
    for name, row in results["loops"].items():
        loops.append([f"{name}.py", *(f"{row[way]:.2f}" if way in row else "" for way in (*ways, "ratio"))])
    return "\n".join([head, *(table(some) for some in (rows, waits, loops))])


def table(rows: list[list[str]]) -> str:
    """A table in Markdown; the first row has the titles."""
    return "".join(f"| {' | '.join(row)} |\n" for row in [rows[0], ["---"] * len(rows[0]), *rows[1:]])


def measure(rounds: int, epochs: int) -> dict:
    """All that results.json holds."""
    runs = [run_round(seed, epochs) for seed in range(rounds)]
    return {
        "rounds": rounds,
        "epochs": epochs,
        "machine": describe_machine(),
        "titles": {name: title for name, (_, title) in CONTENDERS.items()},
        "table": summarize(runs),
        "scripts": run_scripts(),
        "loops": last_line(OURS, "loops.py"),
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
    (HERE / "results.json").write_text(json.dumps(results, indent=1) + "\n")
    (HERE / "results.md").write_text(markdown(results))
    print(markdown(results))
    if far := far_from_the_rest({name: row["bounds"] for name, row in results["table"].items()}):
        gaps = ", ".join(f"{name} by {gap:+.2f}" for name, gap in far.items())
        sys.exit(f"Not all reach the same test bound within 2 nats: {gaps}. A seed moves it by 1.2: try more --rounds.")


if __name__ == "__main__":
    main()
