"""The exercises of the notes: each solution reaches the answer that the notes print, and both texts ask for each."""

import importlib
import re
import subprocess
import sys

import pytest

from conftest import REPOSITORY
from lectures.solutions.answers import ANSWERS, Answer

EXERCISES = [(section, name) for section, answers in ANSWERS.items() for name in answers]


@pytest.mark.parametrize(("section", "name"), EXERCISES)
def test_solution_reaches_its_answer(section, name):
    measured = getattr(importlib.import_module(f"lectures.solutions.{section}"), name)()
    assert ANSWERS[section][name].covers(measured), f"{measured}, not {ANSWERS[section][name]}"
