"""The slides as they are, from slides.toml: what the notes, the deck and as_printed.py quote."""

import tomllib

from lectures.source.excerpts import HERE

SLIDES = {
    slide["slides"]: slide for slide in tomllib.loads((HERE / "slides.toml").read_text(encoding="utf-8"))["slide"]
}


def code(*numbers: str) -> str:
    """The code of some slides, "24" or "27-28", one below the other."""
    return "\n\n".join(SLIDES[number]["code"].strip() for number in numbers)


def formula(number: str) -> str:
    """A slide's formula in TeX."""
    return SLIDES[number]["formula"].strip()
