"""lectures/exercises: what is listed and said of a student's answers, hints, a class's table, and both languages."""

import ast
import csv
import math
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from lecture10_vae.tf1 import tf
from lectures.exercises import check
from lectures.solutions.answers import ANSWERS

LECTURES = Path(__file__).resolve().parents[1] / "lectures"
CHINESE = "[\u4e00-\u9fff]"
FIRST, SECOND, THIRD, FOURTH = ANSWERS["lower_bound"]

WRITTEN = f"""
from lecture10_vae.tf1 import tf

def {FIRST}():
    tf.get_variable("mean", [])
    return None

def {SECOND}():
    tf.get_variable("mean", [])  # again: each exercise has a graph of its own
    return broken()

def broken():
    return math.log(2)  # which is not imported

def {FOURTH}():
    return 0.8301
    raise NotImplementedError
"""


@pytest.fixture
def student(tmp_path):
    """A student's folder, with a file of two mistakes, an exercise left out and one right answer."""
    (tmp_path / "lower_bound.py").write_text(WRITTEN, encoding="utf-8")
    return tmp_path


@pytest.fixture
def say(monkeypatch, capsys):
    """What the checker prints, in English unless told otherwise."""

    def said(*flags):
        monkeypatch.setattr("sys.argv", ["check.py", "--lang", "en", *map(str, flags)])
        check.main()
        return capsys.readouterr().out

    return said


@pytest.mark.parametrize("section", ANSWERS)
def test_file_asks_for_each_answer_in_both_languages_and_has_none(section):
    tree = ast.parse((LECTURES / "exercises" / f"{section}.py").read_text(encoding="utf-8"))
    exercises = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    assert [exercise.name for exercise in exercises] == list(ANSWERS[section])
    for number, exercise in enumerate(exercises, 1):
        asked = ast.get_docstring(exercise)
        assert re.fullmatch(rf"Exercise {number}: .*\?\n\n练习 {number}：.*{CHINESE}.*？", asked), asked  # noqa: RUF001
        assert ast.unparse(exercise.body[-1]) == "raise NotImplementedError"
    for folder in ("exercises", "solutions"):
        assert "check.main(__file__)" in (LECTURES / folder / f"{section}.py").read_text(encoding="utf-8")


@pytest.mark.parametrize("section", ANSWERS)
def test_hints_are_in_both_languages_and_have_no_answer(section):
    for answer in ANSWERS[section].values():
        assert answer.hint["en"].isascii()
        assert re.search(CHINESE, answer.hint["zh"])
        assert not any(answer.rounded(answer.value) in hint.split() for hint in answer.hint.values())
        for mistake in answer.mistakes:
            assert mistake["en"].isascii()
            assert re.search(CHINESE, mistake["zh"])


def test_list_names_all_exercises_and_needs_no_tensorflow():
    code = "import sys; from lectures.exercises import check; check.main(); sys.exit('tensorflow' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code, "--lang", "en"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    listed = re.findall(r"^  \d  (\w+) +(.*)$", done.stdout, flags=re.MULTILINE)
    assert listed == [(name, check.TO_WRITE.en) for section in ANSWERS.values() for name in section]
    assert f"0 of {len(listed)} right" in done.stdout


def test_one_mistake_leaves_the_others_checked_and_an_error_names_its_line(student):
    verdicts = dict(check.check(student / "lower_bound.py"))
    assert list(verdicts) == [FIRST, SECOND, THIRD, FOURTH]
    assert [verdict.right for verdict in verdicts.values()] == [False, False, False, True]
    assert verdicts[FIRST] == check.judge(ANSWERS["lower_bound"][FIRST], None)
    line = WRITTEN[: WRITTEN.index("return math")].count("\n") + 1
    assert "NameError" in verdicts[SECOND].en
    assert f"lower_bound.py, line {line}: return math.log(2)" in verdicts[SECOND].en
    assert verdicts[THIRD] == check.TO_WRITE


def test_one_answer_above_the_line_that_was_left_is_run(tmp_path):
    file = tmp_path / "lower_bound.py"
    file.write_text("\n".join(f"def {name}():\n    raise NotImplementedError" for name in (FIRST, SECOND, THIRD)))
    assert check.nothing_is_written(file)
    file.write_text(
        f'{file.read_text()}\ndef {FOURTH}():\n    """Why"""\n    return 0.83\n    raise NotImplementedError\n'
    )
    assert [verdict.right for _, verdict in check.check(file)] == [False, False, False, True]


def test_numpy_on_a_tensor_is_an_error_and_not_an_exercise_to_write(tmp_path):
    verdict = check.run(lambda: np.mean(tf.constant(9.03)), ANSWERS["lower_bound"][FIRST], tmp_path / "lower_bound.py")
    assert verdict != check.TO_WRITE
    assert "NotImplementedError" in verdict.en


def test_file_that_does_not_load_is_told_once(student):
    with (student / "lower_bound.py").open("a", encoding="utf-8") as file:
        file.write("def (:\n")
    first, *rest = dict(check.check(student / "lower_bound.py")).values()
    assert "SyntaxError" in first.en
    assert rest == [check.NOT_CHECKED] * 3


def test_what_is_no_number_is_told_apart():
    answer = ANSWERS["lower_bound"][FIRST]
    with tf.Graph().as_default():
        returned = [None, tf.constant(9.03), tf.get_variable("a", []), [tf.constant(9.03)], "nine", [9.03, 9.03]]
        returned += [float("nan"), -math.inf]
        verdicts = [check.judge(answer, one) for one in returned]
    assert not any(verdict.right for verdict in verdicts)
    assert verdicts[1] == verdicts[2]  # both are tensors
    assert len(set(verdicts)) == len(verdicts) - 1


@pytest.mark.parametrize("right", [9.03, np.float32(9.035), np.array(9.025), np.array([9.03]), "9.03"])
def test_number_is_right_whatever_its_type(right):
    assert check.judge(ANSWERS["lower_bound"][FIRST], right).right


def test_wrong_number_is_too_small_too_large_or_has_its_mistake_named():
    answer = ANSWERS["lower_bound"][FIRST]
    small, large, known = (check.judge(answer, number) for number in (3, 1_000, -11.51))
    assert "small" in small.en
    assert "小" in small.zh
    assert "large" in large.en
    assert "大" in large.zh
    assert known.en.startswith(answer.mistakes[0]["en"])
    assert known.zh.startswith(answer.mistakes[0]["zh"])
    assert not any(answer.rounded(answer.value) in text for text in (*small[:2], *large[:2], *known[:2]))


def test_answer_is_shown_only_on_request_and_a_hint_in_ones_language(say, student):
    answer = ANSWERS["lower_bound"][SECOND]
    written = student / "lower_bound.py"
    assert str(answer) in say(written, "--show", 2)
    assert "奈特" in say(written, "--show", 2, "--lang", "zh")
    assert say("lower_bound", "--hint", 2).strip() == answer.hint["en"]
    assert say("lower_bound", "--hint", 2, "--lang", "zh").strip() == answer.hint["zh"]
    checked = say(written)
    assert "1 of 4 right" in checked
    assert f"  4  {FOURTH} " in checked
    assert not any(of.rounded(of.value) in checked.replace("0.8301", "") for of in ANSWERS["lower_bound"].values())


@pytest.mark.parametrize(
    "flags", [["vea"], ["vae", "--hint", "5"], ["--show", "1"], ["none/vae.py"], ["--students", "x"]]
)
def test_what_makes_no_sense_is_told_with_exit_status_2(say, capsys, flags):
    with pytest.raises(SystemExit, match="2"):
        say(*flags)
    assert flags[0] in capsys.readouterr().err or "vae --hint" in flags


@pytest.mark.parametrize(
    ("system", "language"), [("zh_CN", "zh"), ("Chinese (Simplified)_China", "zh"), ("de_DE", "en"), (None, "en")]
)
def test_language_is_the_systems(system, language, monkeypatch, capsys):
    monkeypatch.setattr(check.locale, "getlocale", lambda: (system, "UTF-8"))
    monkeypatch.setattr("sys.argv", ["check.py", "vae", "--hint", "1"])
    check.main()
    assert capsys.readouterr().out.strip() == ANSWERS["vae"]["bound_without_a_code"].hint[language]


def test_class_becomes_a_table_with_a_row_for_each_student(say, tmp_path):
    for name, text in (("Ada", ""), ("王", WRITTEN)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "lower_bound.py").write_text(text, encoding="utf-8")
    say("--students", tmp_path)
    with (tmp_path / "results.csv").open(encoding="utf-8-sig", newline="") as file:
        header, *rows = csv.reader(file)
    assert header == ["student", "right", *(f"{section}.{name}" for section in ANSWERS for name in ANSWERS[section])]
    assert [row[:2] for row in rows] == [["Ada", "0"], ["王", "1"]]
    assert rows[0][2:] == [check.TO_WRITE.en] * (len(header) - 2)
    assert rows[1][2:6] == [verdict.en for _, verdict in check.check(tmp_path / "王" / "lower_bound.py")]


def test_file_that_never_ends_is_given_up(tmp_path):
    (tmp_path / "lower_bound.py").write_text(f"def {FIRST}():\n    while True:\n        pass\n")
    assert check.check_apart(tmp_path / "lower_bound.py", seconds=1) == [check.TOO_LONG] * 4


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
            assert f"<< solutions.{section}.{name}" in answer.partition("\n")[0]
            assert len(answer) > 200  # the reasoning
            assert re.findall(r"\((solutions/.+?)\)", exercise) == [f"solutions/{section}.py"]
