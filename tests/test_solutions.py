"""The notes' exercises: each solution reaches the answer that the notes print, and both languages ask for each."""

import functools
import importlib
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial import KDTree

from lecture10_vae import vae
from lecture10_vae.tf1 import tf, tfd
from lecture10_vae.utils import mnist
from lectures.solutions.answers import ANSWERS, Answer, compare

LECTURES = Path(__file__).resolve().parents[1] / "lectures"
TEMPLATES = LECTURES / "source" / "templates"
EXERCISES = [(section, name) for section, answers in ANSWERS.items() for name in answers]


@pytest.fixture(autouse=True, scope="module")
def _read_mnist_once():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mnist, "load", functools.cache(mnist.load))
        yield


@pytest.mark.parametrize(("section", "name"), EXERCISES)
def test_solution_reaches_its_answer(section, name):
    measured = getattr(importlib.import_module(f"lectures.solutions.{section}"), name)()
    assert ANSWERS[section][name].covers(measured), f"{measured}, not {ANSWERS[section][name]}"


def test_encoder_with_a_covariance_gives_one_and_its_divergence_is_the_closed_form(small_mnist):
    from lectures.solutions.vae import make_encoder_with_covariance

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


def test_first_crossing_is_found_where_the_accuracy_crosses_twice(monkeypatch):
    from lectures.solutions import bayesian_network

    curve = np.full(101, 0.9)
    curve[40:45] = 0.85  # falls, comes back, and falls for good
    curve[80:] = 0.2
    monkeypatch.setattr(bayesian_network.pruning, "accuracies", lambda *_: list(curve))
    monkeypatch.setattr(
        bayesian_network, "train", lambda session, *_, **__: session.run(tf.global_variables_initializer())
    )
    assert bayesian_network.weights_to_spare() == 39


@pytest.mark.parametrize("correlation", [0.0, 0.5, 0.9])
def test_mean_field_gap_is_that_of_the_derivation(correlation):
    from lectures.solutions.lower_bound import gap_of_mean_field

    assert gap_of_mean_field(correlation) == pytest.approx(-np.log(1 - correlation**2) / 2, abs=1e-4)


@pytest.mark.slow
def test_prior_of_the_answer_is_the_best_of_the_four():
    from lectures.solutions.bayesian_network import bound_with_a_better_prior

    assert bound_with_a_better_prior() > max(bound_with_a_better_prior(stddev) for stddev in (1, 0.1, 0.03))


@pytest.mark.slow
def test_code_of_20_dimensions_is_better_than_the_pixels_and_of_10_is_not():
    from lectures.solutions.vae import alike_by_code

    known, new = mnist.load("train").first(10_000), mnist.load("test").first(1_000)
    _, nearest = KDTree(known.images.reshape(-1, 784)).query(new.images.reshape(-1, 784))
    by_pixels = 100 * np.mean(known.labels[nearest] == new.labels)
    assert alike_by_code(20) > by_pixels > alike_by_code(10)


def test_script_prints_each_number_beside_its_answer_from_any_folder(tmp_path):
    command = [sys.executable, str(LECTURES / "solutions" / "distributions.py")]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=200)
    assert (done.returncode, done.stderr) == (0, "")
    lines = [re.fullmatch(r"([a-z ]+?) +(-?[\d.]+) +expected (.+?) +yes", line) for line in done.stdout.splitlines()]
    assert [line[1].replace(" ", "_") for line in lines] == list(ANSWERS["distributions"])
    for line, answer in zip(lines, ANSWERS["distributions"].values(), strict=True):
        assert line[3] == str(answer)
        assert answer.covers(float(line[2]))


@pytest.mark.parametrize("section", ANSWERS)
def test_exercise_to_write_asks_what_the_solution_answers(section, capsys):
    exercise = importlib.import_module(f"lectures.exercises.{section}")
    exercise.main()
    assert capsys.readouterr().out.count("not written yet") == len(ANSWERS[section])
    questions = importlib.import_module(f"lectures.solutions.{section}").__doc__
    for number, name in enumerate(ANSWERS[section], 1):
        asked = re.search(rf"Exercise {number}: (.*?\?)", getattr(exercise, name).__doc__)[1]
        assert re.search(rf"^    {number}\. {re.escape(asked)}", questions, flags=re.MULTILINE), asked


def test_measured_number_stands_beside_the_answer(monkeypatch, capsys):
    def days_of_a_week():
        return 6.5

    monkeypatch.setitem(ANSWERS, "time", {"days_of_a_week": Answer(7, 1)})
    compare("time", days_of_a_week)
    assert capsys.readouterr().out.split() == ["days", "of", "a", "week", "6.5000", "expected", "7", "±", "1", "yes"]


@pytest.mark.parametrize("language", ["exercises.md", "exercises.zh.md"])
def test_text_asks_for_each_answer_folds_it_away_and_links_to_its_solution(language):
    _, *parts = re.split(r"<% macro (\w+)\(\) %>", (TEMPLATES / language).read_text(encoding="utf-8"))
    sections = dict(zip(parts[::2], parts[1::2], strict=True))
    assert list(sections) == list(ANSWERS)
    for section, text in sections.items():
        exercises = re.split(r"^\d\. ", text, flags=re.MULTILINE)[1:]
        for exercise, name in zip(exercises, ANSWERS[section], strict=True):
            question, answer = re.fullmatch(
                r"(.*?)<details><summary>\w+</summary>\n\n(.*?)\n\n *</details>\s*(?:<% endmacro %>\s*)?",
                exercise,
                re.DOTALL,
            ).groups()
            assert "<<" not in question
            assert answer.strip().startswith(f"<< solutions.{section}.{name}")
            assert len(answer) > 200  # the reasoning
            assert re.findall(r"\((solutions/.+?)\)", exercise) == [f"solutions/{section}.py"]
            assert (LECTURES / "solutions" / f"{section}.py").exists()


@pytest.mark.parametrize("language", ["exercises.md", "exercises.zh.md"])
def test_text_cites_the_gap_of_the_scripts_decoder(language):
    from lectures.solutions.lower_bound import gap_when_twice_as_bent

    text = (TEMPLATES / language).read_text(encoding="utf-8")
    assert re.search(rf" {gap_when_twice_as_bent(bend=0.6):.2f} (nats|奈特)", text)


def test_answer_has_the_digits_of_its_tolerance():
    assert str(Answer(-11.5095, 0.01, "nats")) == "-11.51 ± 0.01 nats"
    assert str(Answer(793.7, 10)) == "794 ± 10"
    assert str(Answer(0.5, 0.001)) == "0.500 ± 0.001"


def test_answer_covers_its_tolerance_and_no_more():
    answer = Answer(10, 2)
    assert [answer.covers(measured) for measured in (7.9, 8, 12, 12.1, float("nan"))] == [
        False,
        True,
        True,
        False,
        False,
    ]
