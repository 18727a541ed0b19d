"""The notes' exercises: each solution reaches the answer that the notes print, and both languages ask for each."""

import functools
import importlib
import re
import runpy
from pathlib import Path

import numpy as np
import pytest

from lecture10_vae import vae
from lecture10_vae.tf1 import tf, tfd
from lecture10_vae.utils import mnist
from lectures.solutions.answers import ANSWERS, Answer, compare
from lectures.solutions.lower_bound import gap_of_mean_field
from lectures.solutions.vae import make_encoder_with_covariance

LECTURES = Path(__file__).resolve().parents[1] / "lectures"


@pytest.fixture(autouse=True, scope="module")
def _read_mnist_once():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mnist, "load", functools.cache(mnist.load))
        yield


@pytest.mark.parametrize(("section", "name"), [(section, name) for section in ANSWERS for name in ANSWERS[section]])
def test_solution_reaches_its_answer(section, name):
    measured = getattr(importlib.import_module(f"lectures.solutions.{section}"), name)()
    assert ANSWERS[section][name].covers(measured), f"{measured}, not {ANSWERS[section][name]}"


def test_encoder_with_a_covariance_gives_one_and_its_divergence_is_the_closed_form(small_mnist):
    with tf.Graph().as_default(), tf.Session() as session:
        posterior = make_encoder_with_covariance(tf.constant(small_mnist["test"].images[:3]))
        kl = tfd.kl_divergence(posterior, vae.make_prior())
        session.run(tf.global_variables_initializer())
        mean, covariance, kl, samples = session.run(
            [posterior.mean(), posterior.covariance(), kl, posterior.sample(100_000, seed=[0, 0])]
        )
    assert np.abs(covariance[:, 0, 1]).min() > 1e-3
    for i in range(3):
        by_hand = np.trace(covariance[i]) + mean[i] @ mean[i] - 2 - np.log(np.linalg.det(covariance[i]))
        assert kl[i] == pytest.approx(by_hand / 2, abs=1e-4)
        np.testing.assert_allclose(np.cov(samples[:, i].T), covariance[i], atol=0.02)


@pytest.mark.parametrize("correlation", [0.0, 0.5, 0.9])
def test_mean_field_gap_is_that_of_the_derivation(correlation):
    assert gap_of_mean_field(correlation) == pytest.approx(-np.log(1 - correlation**2) / 2, abs=1e-4)


@pytest.mark.parametrize("section", ANSWERS)
def test_exercises_to_write_are_those_that_are_answered(section, capsys, monkeypatch):
    monkeypatch.setattr("sys.argv", ["exercise"])
    exercise = runpy.run_path(str(LECTURES / "exercises" / f"{section}.py"), run_name="__main__")
    assert capsys.readouterr().out.count("not written yet") == len(ANSWERS[section])
    for number, name in enumerate(ANSWERS[section], 1):
        assert re.match(rf"Exercise {number}: .*\?$", exercise[name].__doc__)
    solution = (LECTURES / "solutions" / f"{section}.py").read_text(encoding="utf-8")
    assert f'compare("{section}", globals())' in solution


def test_measured_number_stands_beside_the_answer(monkeypatch, capsys):
    monkeypatch.setitem(ANSWERS, "time", {"days_of_a_week": Answer(7, 1, "days"), "weeks_of_a_year": Answer(52, 1)})
    compare("time", {"days_of_a_week": lambda: 6.5, "weeks_of_a_year": lambda: 54})
    shown = [re.split("  +", line) for line in capsys.readouterr().out.splitlines()]
    assert shown == [
        ["days of a week", "6.5000", "expected 7 ± 1 days", "yes"],
        ["weeks of a year", "54.0000", "expected 52 ± 1", "not yet"],
    ]


@pytest.mark.parametrize("language", ["exercises.md", "exercises.zh.md"])
def test_text_asks_for_each_answer_folds_it_away_and_links_to_its_solution(language):
    template = LECTURES / "source" / "templates" / language
    _, *parts = re.split(r"<% macro (\w+)\(\) %>", template.read_text(encoding="utf-8"))
    sections = dict(zip(parts[::2], parts[1::2], strict=True))
    assert list(sections) == list(ANSWERS)
    folded = r"(.*?)<details><summary>\w+</summary>\n\n(.*?)\n\n *</details>\s*(?:<% endmacro %>\s*)?"
    for section, text in sections.items():
        exercises = re.split(r"^\d\. ", text, flags=re.MULTILINE)[1:]
        for exercise, name in zip(exercises, ANSWERS[section], strict=True):
            question, answer = re.fullmatch(folded, exercise, re.DOTALL).groups()
            assert "<<" not in question
            assert answer.strip().startswith(f"<< solutions.{section}.{name}")
            assert len(answer) > 200  # the reasoning
            assert re.findall(r"\((solutions/.+?)\)", exercise) == [f"solutions/{section}.py"]


def test_answer_has_the_digits_of_its_tolerance_and_covers_no_more():
    answers = Answer(-11.5095, 0.01, "nats"), Answer(793.7, 10), Answer(0.5, 0.001)
    assert [str(answer) for answer in answers] == ["-11.51 ± 0.01 nats", "794 ± 10", "0.500 ± 0.001"]
    assert [measured for measured in (7.9, 8, 12, 12.1, float("nan")) if Answer(10, 2).covers(measured)] == [8, 12]
