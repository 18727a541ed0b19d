"""Runs the contenders in turns, compares them, and writes results.json, results.md and results.png here.

    make bench

Each round runs every contender once, with a seed of its own, so that a machine that slows down slows all alike. A
contender's epoch is the median of its epochs but the first, which compiles; the table has the medians of the rounds.
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

import matplotlib.pyplot as plt

HERE = Path(__file__).resolve().parent
CONTENDERS = {  # script: its environment, and what the table calls it
    "ours": (".venv", "ours: many mini-batches a session.run"),
    "plain": (".venv", "TensorFlow 1: one mini-batch a session.run"),
    "torch_eager": ("benchmarks/.venv-torch", "PyTorch, eager"),
    "torch_fused": ("benchmarks/.venv-torch", "PyTorch, eager, fused Adam"),
    "torch_compile": ("benchmarks/.venv-torch", "PyTorch, fused Adam, torch.compile"),
    "jax_step": ("benchmarks/.venv-jax", "JAX, jitted step"),
    "jax_scan": ("benchmarks/.venv-jax", "JAX, epoch as one lax.scan"),
    "keras_fit": ("benchmarks/.venv-keras", "Keras 3, fit, on JAX"),
    "floor": ("benchmarks/.venv-torch", "the floor: matrix products alone, on one core"),
}
SIZES = {  # what our epoch's time is measured against
    "batch_size": [20, 50, 100, 200, 500, 1000, 2000],
    "hidden_size": [100, 200, 400, 800, 1600],
    "images": [6_000, 12_000, 24_000, 60_000],
}


def run_contender(name: str, **options) -> dict:
    """What a contender prints: seconds of each epoch, of the whole job, the test bound, peak memory in bytes."""
    python = HERE.parent / CONTENDERS[name][0] / "bin" / "python"
    flags = [f"--{option.replace('_', '-')}={value}" for option, value in options.items()]
    environment = {**os.environ, "BENCHMARK_STARTED": str(time.time())}
    command = [python, HERE / f"{name}.py", *flags]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{name}.py failed:\n{done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


def run_loops() -> dict:
    """What loops.py prints: for each script the seconds of an epoch, one mini-batch a session.run and many."""
    command = [HERE.parent / ".venv/bin/python", HERE / "loops.py"]
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def run_script(epochs: int) -> dict:
    """The student's own command: seconds to its first line, its first epoch's and its end, and peak memory in bytes."""
    with tempfile.TemporaryDirectory() as folder:
        command = [HERE.parent / ".venv/bin/python", HERE.parent / "lecture10_vae/vae.py", "--logdir", folder]
        began = time.time()
        process = subprocess.Popen(
            [*command, "--epochs", str(epochs)], stdout=subprocess.PIPE, env={**os.environ, "PYTHONUNBUFFERED": "1"}
        )
        process.stdout.readline()
        first_line = time.time() - began
        process.stdout.readline()
        first_epoch = time.time() - began
        process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = status
    if status:
        sys.exit("vae.py failed")
    peak = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return {"first_line": first_line, "first_epoch": first_epoch, "job": time.time() - began, "peak_memory": peak}


def steady(run: dict) -> float:
    """Seconds of an epoch, once everything is compiled."""
    return statistics.median(run["epochs"][1:])


def far_from_the_rest(bounds: dict[str, list[float]], nats: float = 1.0) -> dict[str, float]:
    """Contenders whose mean test bound is more than `nats` from the median of all means, and by how many nats."""
    means = {name: statistics.mean(values) for name, values in bounds.items()}
    middle = statistics.median(mean for mean in means.values() if math.isfinite(mean))
    return {name: mean - middle for name, mean in means.items() if not abs(mean - middle) <= nats}


def summarize(rounds: list[dict[str, dict]]) -> dict[str, dict]:
    """For each contender the medians of the rounds, ratios to ours, and the mean bound; the fastest epoch comes first.

    A ratio's range is that of the rounds, each with itself, and shows how far the medians can be trusted.
    """
    table = {}
    for name in rounds[0]:
        runs, ours = [done[name] for done in rounds], [done["ours"] for done in rounds]
        ratios = [steady(run) / steady(own) for run, own in zip(runs, ours, strict=True)]
        row = {"epoch": statistics.median(map(steady, runs)), "epoch_ratio_range": [min(ratios), max(ratios)]}
        row["epoch_ratio"] = row["epoch"] / statistics.median(map(steady, ours))
        for what in ("job", "peak_memory"):
            row[what] = statistics.median(run[what] for run in runs)
            row[f"{what}_ratio"] = row[what] / statistics.median(run[what] for run in ours)
        row["bounds"] = [run["bound"] for run in runs if run["bound"] is not None]
        table[name] = row
    return dict(sorted(table.items(), key=lambda item: item[1]["epoch"]))


def markdown(results: dict) -> str:
    """The page that results.md holds."""
    machine = results["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    lines = [
        "# The slide's VAE in what a student would pick instead",
        "",
        f"Made by `make bench`: {results['rounds']} rounds of {results['epochs']} epochs on {machine['processor']}, "
        f"{machine['cores']} cores, with {versions}.",
        "Ratios are to ours, so that above 1 is slower, or more; in brackets those of the single rounds, from and to.",
        "The job runs from the start of the process to the last epoch's test bound, imports and compilation included.",
        "",
        "| | s an epoch | ratio | s the job | ratio | peak MiB | ratio | test bound, nats |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, row in results["table"].items():
        low, high = row["epoch_ratio_range"]
        cells = [CONTENDERS[name][1], f"{row['epoch']:.2f}", f"{row['epoch_ratio']:.2f} ({low:.2f}-{high:.2f})"]
        if row["bounds"]:
            cells += [f"{row['job']:.1f}", f"{row['job_ratio']:.2f}"]
            cells += [f"{row['peak_memory'] / 2**20:.0f}", f"{row['peak_memory_ratio']:.2f}"]
            cells += [f"{statistics.mean(row['bounds']):.1f}"]
        else:
            cells += [""] * 5
        lines.append("".join(f"| {cell} " for cell in cells) + "|")
    script = results["script"]
    lines += [
        "",
        f"`vae.py` itself, with its curves, checkpoints and pictures: first line after {script['first_line']:.1f} s, "
        f"the untrained model's numbers after {script['first_epoch']:.1f} s, "
        f"done after {script['job']:.1f} s, {script['peak_memory'] / 2**20:.0f} MiB.",
    ]
    lines += ["", "| an epoch of | s, one mini-batch a session.run | s, many | ratio |", "|---|---|---|---|"]
    for name, row in results["loops"].items():
        lines += [f"| {name}.py | {row['one_by_one']:.2f} | {row['together']:.2f} | {row['ratio']:.2f} |"]
    for what, epochs in results["scaling"].items():
        lines += ["", f"| {what.replace('_', ' ')} | {' | '.join(epochs)} |", "|---" * (len(epochs) + 1) + "|"]
        lines += [f"| s an epoch, ours | {' | '.join(f'{seconds:.2f}' for seconds in epochs.values())} |"]
    return "\n".join(lines) + "\n"


def plot(results: dict):
    """Every contender's epoch, and ours as it grows."""
    picture, (bars, *curves) = plt.subplots(1, 4, figsize=(16, 3.5), width_ratios=[2, 1, 1, 1], layout="constrained")
    names = list(results["table"])[::-1]
    colors = ["tab:orange" if name == "ours" else "tab:gray" if name == "floor" else "tab:blue" for name in names]
    seconds = [results["table"][name]["epoch"] for name in names]
    drawn = bars.barh([CONTENDERS[name][1] for name in names], seconds, color=colors)
    bars.bar_label(drawn, [f"{results['table'][name]['epoch_ratio']:.2f}" for name in names], padding=3)
    bars.margins(x=0.12)
    bars.set(title="An epoch, and its ratio to ours", xlabel="seconds")
    for axes, (what, epochs) in zip(curves, results["scaling"].items(), strict=True):
        axes.loglog([int(size) for size in epochs], list(epochs.values()), "o-", color="tab:orange")
        axes.set_xticks([int(size) for size in epochs], [f"{int(size):,}" for size in epochs], rotation=45)
        axes.xaxis.minorticks_off()
        axes.set(title=f"Ours, by {what.replace('_', ' ')}", xlabel=what.replace("_", " "), ylabel="seconds an epoch")
        axes.grid(alpha=0.3, which="both")
    return picture


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
        "system": platform.platform(),
        "python": platform.python_version(),
        "versions": versions,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5, help="how often each contender runs, each time another seed")
    parser.add_argument("--epochs", type=int, default=15, help="passes over the training images in a run, 2 or more")
    arguments = parser.parse_args()
    if arguments.epochs < 2 or arguments.rounds < 1:
        parser.error("the first epoch compiles: give --epochs 2 or more, and --rounds 1 or more")

    rounds = []
    for seed in range(arguments.rounds):
        rounds.append({})
        for name in CONTENDERS:
            rounds[-1][name] = run = run_contender(name, epochs=arguments.epochs, seed=seed)
            bound = "" if run["bound"] is None else f"  test bound {run['bound']:.2f}"
            print(
                f"Round {seed + 1}  {name:14}{steady(run):6.2f} s an epoch{run['job']:7.1f} s the job{bound}",
                flush=True,
            )
    scaling = {
        what: {str(size): steady(run_contender("ours", epochs=3, **{what: size})) for size in sizes}
        for what, sizes in SIZES.items()
    }
    results = {
        "rounds": arguments.rounds,
        "epochs": arguments.epochs,
        "machine": describe_machine(),
        "titles": {name: title for name, (_, title) in CONTENDERS.items()},
        "table": summarize(rounds),
        "script": run_script(arguments.epochs),
        "loops": run_loops(),
        "scaling": scaling,
        "runs": rounds,
    }
    (HERE / "results.json").write_text(json.dumps(results, indent=1) + "\n")
    (HERE / "results.md").write_text(markdown(results))
    plot(results).savefig(HERE / "results.png", dpi=100)
    print(markdown(results))
    far = far_from_the_rest({name: row["bounds"] for name, row in results["table"].items() if row["bounds"]})
    if far:
        gaps = ", ".join(f"{name} by {gap:+.2f}" for name, gap in far.items())
        sys.exit(f"Not all reach the same test bound within 1 nat: {gaps}. A seed moves it by 0.8: try more --rounds.")


if __name__ == "__main__":
    main()
