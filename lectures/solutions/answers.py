"""The answers to the exercises, from answers.toml: a section's name is that of its files, an answer's its function's.

The notes print the answers, lectures/exercises/check.py judges by them, and tests/test_solutions.py holds the solutions
to them. The notes are made without TensorFlow, so that nothing here may need it.
"""

import math
import tomllib
from pathlib import Path
from typing import NamedTuple

Words = dict[str, str]  # the same in English, "en", and in Chinese, "zh"


class Answer(NamedTuple):
    """A number to reach, a hint, and the numbers that known mistakes lead to.

    The tolerance, of one digit, says what counts as right. Where an answer depends on the seed, the value is the mean
    over seeds 0 to 4, rounded, and the tolerance more than twice their stddev; else it leaves room for rounding.
    """

    value: float
    tolerance: float
    unit: str
    hint: Words
    mistakes: list[dict]  # each with the mistake's own `value`, and its name in both languages

    def __str__(self) -> str:
        return f"{self.rounded(self.value)} {self.unit}".rstrip()

    def rounded(self, number: float) -> str:
        """A number with the decimals of the tolerance."""
        return f"{number:.{max(0, -math.floor(math.log10(self.tolerance)))}f}"

    def covers(self, number: float) -> bool:
        """Whether a number counts as right."""
        return abs(number - self.value) <= self.tolerance

    def mistake(self, number: float) -> Words | None:
        """The known mistake that leads to a number; None, too, if a right solution might reach that number."""
        for mistake in self.mistakes:
            value = mistake["value"]
            near = max(self.tolerance * abs(value / self.value), abs(value) / 1_000)
            if abs(number - value) <= near and abs(value - self.value) > near + self.tolerance:
                return mistake
        return None


def read() -> dict[str, dict[str, Answer]]:
    """The answers by section and name, each with the mistakes that its unit invites beside its own."""
    sections = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))
    usual = sections.pop("usual")
    return {
        section: {name: _answer(usual, **fields) for name, fields in of.items()} for section, of in sections.items()
    }


def _answer(usual: dict[str, Words], value: float, tolerance: float, hint: Words, unit="", mistakes=()) -> Answer:
    invited = {"sign": -value}
    invited |= {"nats": {"bits": value / math.log(2)}, "%": {"fraction": value / 100}}.get(unit, {})
    named = [{"value": number, **usual[name]} for name, number in invited.items()]
    return Answer(value, tolerance, unit, hint, [*mistakes, *named])


ANSWERS = read()
