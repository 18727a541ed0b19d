"""How ours grows with images, mini-batch, hidden units and code size: seconds of an epoch, and peak memory."""

import children

SIZES = {
    "images": [6_000, 20_000, 60_000, 200_000, 600_000],
    "batch_size": [20, 100, 500, 2000],
    "hidden_size": [100, 200, 400, 800, 1600],
    "code_size": [2, 10, 50, 200],
}
LIMIT = 4 * 2**30  # bytes
FEW_IMAGES = 1_000  # where neither time nor the images' own memory is asked for


def grow() -> dict[str, dict[str, dict]]:
    """For each of the above and each size: the fastest of two epochs that compile nothing, and the peak memory.

    The fastest, as these runs are not repeated, and what disturbs them can only make them slower.
    """
    table = {what: {} for what in SIZES}
    for what, sizes in SIZES.items():
        for size in sizes:
            run = children.run_contender("ours", epochs=3, **{what: size})
            table[what][str(size)] = {"epoch": min(run["epochs"][1:]), "peak_memory": run["peak_memory"]}
    return table


def largest(what: str, size: int, limit: int = LIMIT) -> dict[str, int | None]:
    """Doubles a size until a run's peak memory is over the limit, or the run fails, as where memory is short.

    Returns: the last size that fits, its peak memory in bytes, and that of twice the size, None where it failed.
    """
    peak = None
    while True:
        images = {} if what == "images" else {"images": max(FEW_IMAGES, size if what == "batch_size" else 0)}
        last = peak
        try:
            peak = children.run_contender("ours", epochs=1, **{what: size}, **images)["peak_memory"]
        except children.ChildFailed:
            peak = None
        if peak is None or peak > limit:
            return {"size": size // 2, "peak_memory": last, "peak_memory_of_twice": peak}
        size *= 2


def find_largest() -> dict[str, dict[str, int]]:
    """What fits into the limit: images, a mini-batch, hidden units, dimensions of the code."""
    return {what: largest(what, sizes[-1]) for what, sizes in SIZES.items()}
