"""What run.py has measured, as the page results.md and the picture results.png."""

import statistics

import matplotlib.pyplot as plt
from children import CONTENDERS

FLOOR = "the floor: matrix products alone, the fastest way"
MEBIBYTE = 2**20


def markdown(results: dict) -> str:
    """The page."""
    machine = results["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    head = [
        "# The slide's VAE in what a student would pick instead",
        "",
        f"Made by `make bench`: {results['rounds']} rounds of {results['epochs']} epochs on {machine['processor']}, "
        f"{machine['cores']} cores, with {versions}.",
        "Ratios are to ours, so that above 1 is slower, or more; medians of the rounds, in brackets from and to.",
        "The job runs from the start of the process to the last epoch's test bound, imports and compilation included.",
        "",
        *noise(results["noise"], results["rounds"]),
        "",
    ]
    sections = [contenders(results["table"]), floor(results["floor"], results["rounds"]), scripts(results["scripts"])]
    sections += [loops(results["loops"]), growth(results["growth"]), largest(results["largest"])]
    return "\n".join(head + [line for section in sections for line in [*section, ""]][:-1]) + "\n"


def noise(judged: dict, rounds: int) -> list[str]:
    """Whether the machine was quiet enough, in words."""
    ours, floor = (f"{100 * judged['spread'][name]:.0f} %" for name in ("ours", "floor"))
    seen = f"from the fastest round to the slowest our epoch grows by {ours}, the floor by {floor}."
    if rounds < 3:
        lines = [f"**Too few rounds to tell how noisy the machine was**: {rounds}; give `--rounds` 3 or more."]
    elif judged["too_noisy"]:
        lines = [f"**The machine was too noisy to tell**: {seen} Above 10 %, measure again."]
    else:
        lines = [f"The machine was quiet enough: {seen}"]
    for what, names in judged["undecided"].items():
        if names and rounds > 1:
            titles = "; ".join(FLOOR if name == "floor" else CONTENDERS[name][1] for name in names)
            lines += [f"Faster than ours in one round and slower in another, by the {what}: {titles}."]
    return lines


def table(titles: list[str], rows: list[list[str]]) -> list[str]:
    """A table in Markdown."""
    return [f"| {' | '.join(row)} |" for row in [titles, ["---"] * len(titles), *rows]]


def ratio(row: dict, what: str) -> str:
    low, high = row[f"{what}_ratio_range"]
    return f"{row[f'{what}_ratio']:.2f} ({low:.2f}-{high:.2f})"


def contenders(rows: dict[str, dict]) -> list[str]:
    """Each contender's epoch, job, memory and bound."""
    lines = []
    for name, row in rows.items():
        line = [FLOOR if name == "floor" else CONTENDERS[name][1], f"{row['epoch']:.3f}", ratio(row, "epoch")]
        if name == "floor":
            line += [""] * 5
        else:
            line += [f"{row['job']:.1f}", ratio(row, "job")]
            line += [mebibytes(row["peak_memory"]), ratio(row, "peak_memory")]
            line += [f"{statistics.mean(row['bounds']):.1f}"]
        lines.append(line)
    return table(["", "s an epoch", "ratio", "s the job", "ratio", "peak MiB", "ratio", "test bound, nats"], lines)


def floor(compared: dict, rounds: int) -> list[str]:
    """The ways to the floor, and how far from it we are."""
    low, high = compared["ours_range"]
    ways = sorted(compared["ways"].items(), key=lambda way: way[1]["epoch"])
    return [
        f"Our epoch takes {compared['ours']:.2f} ({low:.2f}-{high:.2f}) times the floor, which is in each round the "
        "fastest of these:",
        "",
        *table(
            ["five products a step, on all cores", "s an epoch", f"fastest in, of {rounds}"],
            [[title, f"{way['epoch']:.3f}", str(way["won"])] for title, way in ways],
        ),
    ]


def scripts(waits: dict[str, dict]) -> list[str]:
    """A student's wait for each script."""
    rows = []
    for name, wait in waits.items():
        seconds = [f"{wait[what]:.1f}" for what in ("first_line", "job")]
        rows.append([f"{name}.py", *seconds, mebibytes(wait["peak_memory"])])
    rows.append(["all", "", f"{sum(wait['job'] for wait in waits.values()):.1f}", ""])
    return table(["from command to, seconds", "first line", "last line", "peak MiB"], rows)


def loops(rows: dict[str, dict]) -> list[str]:
    """What many mini-batches a session.run save, and XLA."""
    ways = {
        "one_by_one": "s, one mini-batch a session.run",
        "without_xla": "s, many, with --plain",
        "together": "s, many",
        "ratio": "ratio of first and last",
    }
    lines = [[f"{name}.py", *(f"{row[way]:.2f}" for way in ways)] for name, row in rows.items()]
    return table(["an epoch of", *ways.values()], lines)


def growth(grown: dict[str, dict]) -> list[str]:
    """Ours, larger."""
    lines = []
    for what, sizes in grown.items():
        seconds = [f"{row['epoch']:.2f}" for row in sizes.values()]
        peaks = [mebibytes(row["peak_memory"]) for row in sizes.values()]
        numbers = [f"{int(size):,}" for size in sizes]
        lines += [*table([label(what), *numbers], [["s an epoch, ours", *seconds], ["peak MiB", *peaks]]), ""]
    return lines[:-1]


def largest(found: dict[str, dict]) -> list[str]:
    """What fits into 4 GiB."""
    rows = [
        [label(what), f"{row['size']:,}", mebibytes(row["peak_memory"]), mebibytes(row["peak_memory_of_twice"])]
        for what, row in found.items()
    ]
    return table(["the largest within 4 GiB, by doubling", "", "peak MiB", "of twice as many, peak MiB"], rows)


def mebibytes(peak: int | None) -> str:
    return "failed" if peak is None else f"{peak / MEBIBYTE:.0f}"


def label(what: str) -> str:
    return {
        "hidden_size": "hidden units",
        "batch_size": "images a mini-batch",
        "code_size": "dimensions of the code",
    }.get(what, what)


def plot(results: dict):
    """Every contender's epoch, and ours as it grows."""
    with plt.rc_context({"font.size": 20}):
        picture = plt.figure(figsize=(24, 18), layout="constrained")
        top, bottom = picture.subfigures(2, 1, height_ratios=[1, 1.4])
        plot_epochs(top.subplots(), results["table"])
        bottom.suptitle("Ours, as it grows")
        panels = bottom.subplots(2, len(results["growth"]), sharex="col", sharey="row", squeeze=False)
        for column, (what, grown) in zip(panels.T, results["growth"].items(), strict=True):
            plot_growth(column, what, grown)
        panels[0, 0].set(ylabel="seconds an epoch")
        panels[1, 0].set(ylabel="peak memory, GiB", ylim=(0, None))
    return picture


def plot_epochs(axes, rows: dict[str, dict]) -> None:
    """A bar each, with the ratio to ours, and whiskers for that ratio's range."""
    names, own = list(rows)[::-1], rows["ours"]["epoch"]
    colors = {"ours": "tab:orange", "floor": "tab:gray"}
    seconds = [rows[name]["epoch"] for name in names]
    titles = [FLOOR if name == "floor" else CONTENDERS[name][1] for name in names]
    ends = [[own * ratio for ratio in rows[name]["epoch_ratio_range"]] for name in names]
    drawn = axes.barh(titles, seconds, color=[colors.get(name, "tab:blue") for name in names])
    axes.hlines(titles, *zip(*ends, strict=True), color="black", linewidth=3)
    for bar, name, (_, end) in zip(drawn, names, ends, strict=True):
        place = max(bar.get_width(), end), bar.get_y() + bar.get_height() / 2
        axes.annotate(f"{rows[name]['epoch_ratio']:.2f}", place, (8, 0), textcoords="offset points", va="center")
    axes.margins(x=0.08)
    axes.set(title="An epoch, its ratio to ours, and that ratio's range over the rounds (black)", xlabel="seconds")


def plot_growth(column, what: str, grown: dict[str, dict]) -> None:
    """Seconds above, on a logarithmic axis, memory below."""
    sizes, (above, below) = [int(size) for size in grown], column
    style = {"color": "tab:orange", "markersize": 10, "linewidth": 3}
    above.loglog(sizes, [row["epoch"] for row in grown.values()], "o-", **style)
    above.yaxis.set_major_formatter("{x:g}")
    below.plot(sizes, [row["peak_memory"] / 2**30 for row in grown.values()], "s-", **style)
    below.set_xticks(sizes, [f"{size:,}" for size in sizes], rotation=45)
    below.xaxis.minorticks_off()
    below.set(xlabel=label(what))
    for axes in column:
        axes.grid(alpha=0.3)
