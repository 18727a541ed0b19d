"""What holds for more than one seed: an experiment's numbers for each, their means and stddevs, and a picture of those.

    runs/experiments/doubt/seed_0.json, ...   what was measured with each seed
                           results.json       mean, stddev and values of each number over the seeds
                           doubt.png

What has been measured stays, so that a stopped command goes on with the next seed. Delete what an edit has outdated.
"""

import json
from collections.abc import Callable
from pathlib import Path

from lecture10_vae.utils import plotting

import numpy as np


def run(measure: Callable[[int], dict], draw: Callable[[dict], object], name: str, seeds: int, logdir: Path) -> dict:
    """Measures each seed from 0 on that has no file yet, and draws a picture of all.

    Args:
        measure: from a seed to its numbers: scalars, lists, or dicts of them.
        draw: from what `mean_and_stddev_of_each` makes of them to a picture.
        name: of the experiment, and of its picture.
        logdir: the folder for the files.

    Returns:
        Mean, stddev and values over the seeds of each number.
    """
    logdir.mkdir(parents=True, exist_ok=True)
    each_seed = []
    for seed in range(seeds):
        path = logdir / f"seed_{seed}.json"
        if path.exists():
            print(f"{name}, seed {seed}: {path} is kept; delete it to measure anew.", flush=True)
        else:
            print(f"{name}, seed {seed}: {measure.__doc__.splitlines()[0]}", flush=True)
            write(path, measure(seed))
        each_seed.append(json.loads(path.read_text(encoding="utf-8")))
    numbers = mean_and_stddev_of_each(each_seed)
    write(logdir / "results.json", numbers)
    plotting.save(draw(numbers), logdir / f"{name}.png")
    print(f"Picture and numbers: {logdir}")
    return numbers


def command(measure: Callable[[int], dict], draw: Callable[[dict], object], name: str, draw_more=None) -> Callable:
    """An experiment's `main`: `run` with two flags, and what draws more pictures, from the numbers and the folder."""

    def main(seeds: int = 5, logdir: Path = Path("runs/experiments", name)) -> dict:
        numbers = run(measure, draw, name, seeds, logdir)
        if draw_more:
            draw_more(numbers, logdir)
        return numbers

    seeds = "    seeds: how many, from 0 on."
    logdir = "    logdir: the folder for numbers and picture; what it holds of a seed is kept."
    main.__doc__ = "\n".join([measure.__doc__, "\nArgs:", seeds, logdir])
    return main


def write(path: Path, numbers: dict) -> None:
    """Writes the numbers as JSON: all of them, or no file where it is stopped."""
    unfinished = path.with_suffix(".unfinished")
    unfinished.write_text(json.dumps(numbers, indent=2, default=lambda value: value.tolist()) + "\n", encoding="utf-8")
    unfinished.replace(path)


def in_columns(rows: list[dict]) -> dict:
    """Dicts of the same keys, which may hold such dicts, as one dict of lists."""
    first = rows[0]
    return {
        key: in_columns([row[key] for row in rows]) if isinstance(first[key], dict) else [row[key] for row in rows]
        for key in first
    }


def mean_and_stddev_of_each(each_seed: list) -> dict[str, dict]:
    """Of numbers that come by the same names for each seed, in dicts as deep as they like."""
    if isinstance(each_seed[0], dict):
        return {name: mean_and_stddev_of_each([numbers[name] for numbers in each_seed]) for name in each_seed[0]}
    return mean_and_stddev(each_seed)


def mean_and_stddev(values: list) -> dict[str, object]:
    """The values' mean and stddev (of a sample: divided by one less than their number), and the values.

    A value is a number, or a list of numbers, whose means and stddevs are lists then.
    """
    values = np.array(values, np.float64)
    return {
        "mean": values.mean(axis=0).tolist(),
        "stddev": values.std(axis=0, ddof=1).tolist(),
        "values": values.tolist(),
    }
