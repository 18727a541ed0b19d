"""Lists the exercises with what is right already, gives hints, and shows an answer when asked to.

    .venv/bin/python lectures/exercises/check.py               all exercises; those still to write take no time
    .venv/bin/python lectures/exercises/check.py vae           those of vae.py, as that file does when it is run
    .venv/bin/python lectures/exercises/check.py vae --hint 2  a hint for its exercise 2; --show 2 shows the answer
    .venv/bin/python lectures/exercises/check.py --students FOLDER

The last is for a lecturer: FOLDER has a folder for each student, with their files, and gets a table, results.csv.
Checking runs what the students wrote. What is printed is English or Chinese, by the system's language or --lang.
"""

import argparse
import ast
import csv
import locale
import math
import multiprocessing
import runpy
import sys
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from lectures.solutions.answers import ANSWERS, Answer

HERE = Path(__file__).resolve().parent
MOST_SECONDS = 600  # for a file of a student's: one that never ends is given up then


class Verdict(NamedTuple):
    """What there is to say of an exercise, in both languages."""

    en: str
    zh: str
    right: bool = False


TO_WRITE = Verdict("to write", "待写")
NOT_CHECKED = Verdict("not checked", "未检查")
TOO_LONG = Verdict(f"does not end within {MOST_SECONDS // 60} minutes", f"{MOST_SECONDS // 60} 分钟内没有结束")


def check(file: Path) -> Iterator[tuple[str, Verdict]]:
    """Runs the exercises of a file, one by one, and yields each one's name and verdict.

    A mistake in one leaves the others checked.
    """
    answers = ANSWERS[file.stem]
    if nothing_is_written(file):
        yield from dict.fromkeys(answers, TO_WRITE).items()
        return
    try:
        functions = runpy.run_path(str(file))
    except (Exception, SystemExit) as error:
        first, *rest = answers
        yield first, explain(error, file)
        yield from dict.fromkeys(rest, NOT_CHECKED).items()
        return
    for name, answer in answers.items():
        yield name, run(functions[name], answer, file) if name in functions else TO_WRITE


def run(exercise: Callable[[], object], answer: Answer, file: Path) -> Verdict:
    """The verdict of one exercise of a file, which gets a graph of its own."""
    from lecture10_vae.tf1 import tf  # takes seconds, so not before it is needed

    try:
        with tf.Graph().as_default():
            return judge(answer, exercise())
    except (Exception, SystemExit) as error:
        unwritten = isinstance(error, NotImplementedError) and not error.args  # TensorFlow raises it with a text
        return TO_WRITE if unwritten else explain(error, file)


def nothing_is_written(file: Path) -> bool:
    """Whether each exercise of a file is as it came, or the file is missing."""
    try:
        tree = ast.parse(file.read_bytes()) if file.is_file() else ast.Module([], [])
    except (SyntaxError, ValueError):
        return False
    bodies = [node.body for node in tree.body if isinstance(node, ast.FunctionDef)]
    return all(len(body) <= 2 and isinstance(body[-1], ast.Raise) for body in bodies)  # its docstring and `raise`


def judge(answer: Answer, returned: object) -> Verdict:
    """What to say of what an exercise returned: right, or what is wrong with it, without the answer."""
    from lecture10_vae.tf1 import tf

    if returned is None:
        return Verdict("returns nothing: is there a `return` at its end?", "没有返回值：最后有 `return` 吗？")
    if tf.is_tensor(returned):
        return Verdict(
            "returns a tensor: return what session.run gives for it", "返回的是张量：请返回 session.run 的结果"
        )
    try:
        number = np.asarray(returned, float)
    except (TypeError, ValueError, NotImplementedError):
        kind = type(returned).__name__
        return Verdict(f"returns a {kind}: one number is asked for", f"返回的是 {kind}：应当返回一个数")
    if number.size != 1:
        shape = list(number.shape)
        return Verdict(
            f"returns numbers of shape {shape}: one is asked for", f"返回的数形状是 {shape}：应当只返回一个数"
        )
    number = number.item()
    if not math.isfinite(number):
        return Verdict(f"{number}: a logarithm of 0, or a division by 0?", f"{number}：是否取了 0 的对数，或除以了 0？")
    if right := answer.covers(number):
        said = {"en": "right", "zh": "正确"}
    elif not (said := answer.mistake(number)):
        said = {"en": "too small", "zh": "太小"} if number < answer.value else {"en": "too large", "zh": "太大"}
    return Verdict(f"{said['en']} ({number:.6g})", f"{said['zh']}（{number:.6g}）", right)


def show(answer: Answer, language: str) -> str:
    """The answer, and what else counts as right."""
    least, most = (answer.rounded(answer.value + side * answer.tolerance) for side in (-1, 1))
    if language == "zh":
        return f"{answer}（{least} 到 {most} 都算正确）".replace("nats", "奈特")
    return f"{answer} ({least} to {most} counts as right)"


def explain(error: BaseException, file: Path) -> Verdict:
    """An error in one line: its kind, the start of its text, and the line of the file that led to it."""
    lines = [frame for frame in traceback.extract_tb(error.__traceback__) if Path(frame.filename) == file]
    where = f" ({file.name}, line {lines[-1].lineno}: {lines[-1].line})" if lines else ""
    said = f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0][:200]}{where}"
    return Verdict(said, said)


def check_apart(file: Path, seconds: float = MOST_SECONDS) -> list[Verdict]:
    """The verdicts of a file, checked in a process of its own, which is ended if it takes too long."""
    if nothing_is_written(file):
        return [TO_WRITE] * len(ANSWERS[file.stem])
    with multiprocessing.get_context("spawn").Pool(1) as process:
        try:
            return process.apply_async(_verdicts, [file]).get(seconds)
        except multiprocessing.TimeoutError:
            return [TOO_LONG] * len(ANSWERS[file.stem])


def _verdicts(file: Path) -> list[Verdict]:
    return [verdict for _, verdict in check(file)]


def check_class(folder: Path, language: str) -> None:
    """Checks the files in each student's folder, and writes results.csv: a row for each student."""
    names = [f"{section}.{name}" for section in ANSWERS for name in ANSWERS[section]]
    with (folder / "results.csv").open("w", encoding="utf-8-sig", newline="") as file:  # -sig: for Excel
        table = csv.writer(file)
        table.writerow(["student", "right", *names])
        for student in sorted(path for path in folder.iterdir() if path.is_dir()):
            verdicts = [verdict for section in ANSWERS for verdict in check_apart(student / f"{section}.py")]
            right = sum(verdict.right for verdict in verdicts)
            table.writerow([student.name, right, *(getattr(verdict, language) for verdict in verdicts)])
            print(f"{student.name}: {right} / {len(names)}", flush=True)
    print(folder / "results.csv")


def check_files(files: list[Path], language: str) -> None:
    """Prints the verdict of each exercise once it is known, how many are right, and how to get a hint."""
    right, wrong = 0, []
    for file in files:
        print(f"\n{file.name}")
        for number, (name, verdict) in enumerate(check(file), 1):
            print(f"  {number}  {name:34s}{getattr(verdict, language)}", flush=True)
            right += verdict.right
            wrong += [] if verdict.right else [f"{file.stem} --hint {number}"]
    total = right + len(wrong)
    print(f"\n{right} of {total} right." if language == "en" else f"\n{total} 题中 {right} 题正确。")
    if wrong:
        command = f".venv/bin/python lectures/exercises/check.py {wrong[0]}"
        print(f"A hint: {command}" if language == "en" else f"提示：{command}")


def _file(text: str) -> Path:
    here = HERE / f"{text.removesuffix('.py')}.py"
    file = here if here.is_file() else Path(text).resolve()
    if file.stem not in ANSWERS or not file.is_file():
        raise argparse.ArgumentTypeError(f"{text}: give one of {', '.join(ANSWERS)}, or a file of such a name")
    return file


def main(*own: str) -> None:
    """Does what the command line says; an exercises' file gives its own name first."""
    chinese = (locale.getlocale()[0] or "").lower().startswith(("zh", "chinese"))
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0], allow_abbrev=False)
    parser.add_argument("section", nargs="?", type=_file, help="a section, vae, say, or its file (all sections)")
    parser.add_argument("--hint", type=int, metavar="NUMBER", help="a hint for this exercise of the section")
    parser.add_argument("--show", type=int, metavar="NUMBER", help="the answer of this exercise of the section")
    parser.add_argument("--students", type=Path, metavar="FOLDER", help="check a class: a folder for each student")
    parser.add_argument("--lang", choices=["en", "zh"], default="zh" if chinese else "en", help="English or Chinese")
    flags = parser.parse_args([*own, *sys.argv[1:]])
    if number := flags.hint or flags.show:
        answers = list(ANSWERS[flags.section.stem].values()) if flags.section else []
        if not 1 <= number <= len(answers):
            has = f"{flags.section.stem} has exercises 1 to {len(answers)}" if flags.section else "name a section"
            parser.error(f"{has}: vae --hint 2, say")
        answer = answers[number - 1]
        print(answer.hint[flags.lang] if flags.hint else show(answer, flags.lang))
    elif flags.students:
        if not flags.students.is_dir():
            parser.error(f"--students {flags.students}: give a folder that has one for each student")
        check_class(flags.students.resolve(), flags.lang)
    else:
        check_files([flags.section] if flags.section else [HERE / f"{section}.py" for section in ANSWERS], flags.lang)


if __name__ == "__main__":
    main()
