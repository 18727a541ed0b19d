"""Makes the lecture's texts: `make lectures`.

It records in results.json what the scripts' runs, the experiments and measure.py have measured, copies their pictures
and draws the diagrams, and renders templates/ to the notes and the READMEs, so that no number, code or picture in them
is copied by hand. Then page.py and deck.py make of the notes the pages to read and to teach from in a browser.

    python -m lectures.source.build                        # all of it, from the runs in runs/lectures
    python -m lectures.source.build --no-record-results    # the texts alone, from the results.json there is
"""

import datetime
import importlib
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import jinja2

from lecture10_vae.utils import command_line
from lectures.solutions.answers import ANSWERS
from lectures.source import by_hand, deck, flags, page, papers, slides
from lectures.source.excerpts import HERE, LECTURES, REPOSITORY, TEMPLATES, code, lines, test

RESULTS, FIGURES = HERE / "results.json", LECTURES / "figures"
ENDINGS = {"en": ".md", "zh": ".zh.md"}
PAGES = {  # by language and name: the lecture, and what stands behind it
    language: {name: LECTURES / f"{name}{ending}" for name in page.PAGES[language]}
    for language, ending in ENDINGS.items()
}
NOTES = {language: pages["lecture10_vae"] for language, pages in PAGES.items()}
TEXTS = {  # template: what it is rendered to; exercises.md holds the exercises by section
    path.name.replace("exercises", "exercises_page"): path for pages in PAGES.values() for path in pages.values()
}
TEXTS |= {f"README{ending}": REPOSITORY / f"README{ending}" for ending in ENDINGS.values()}
CHINESE, PUNCTUATION = "\u4e00-\u9fff", "，。；：、（）“”？！"  # noqa: RUF001
RUNS = [  # folders in runs/lectures, made by `make lectures`
    "distributions",
    "regression",
    "regression_stddev",
    "classification",
    "lower_bound",
    "lower_bound_full",
    "vae",
    "variational_inference",
    "amortized_inference",
    "bayesian_network",
]
EXPERIMENTS = [  # in lecture10_vae/beyond/experiments
    "evidence_by_epoch",
    "amortization",
    "information",
    "gradients",
    "mean_field",
    "learned_stddev",
    "two_layers",
    "doubt",
    "grey_pixels",
]


def record(runs: Path) -> dict:
    """What results.json holds: the runs' results and histories, what we measured besides, date, seed and versions.

    Each part that was measured besides is kept in the runs' folder, so that a recording that was stopped resumes.
    """
    from lectures.source import as_printed, measure, reasoning  # here, since rendering needs no TensorFlow

    results = {}
    for name in RUNS:
        results[name] = json.loads((runs / name / "results.json").read_text(encoding="utf-8"))
        versions, seed = results[name].pop("versions"), results[name]["seed"]
        results[name].pop("data_dir", None)  # a path of one machine
        results[name]["history"] = measure.history(runs / name)
    parts = {
        "as_printed": lambda: as_printed.measure(runs / "vae"),
        "questions": lambda: measure.questions(runs / "vae"),
        "held_out": measure.epochs_on_held_out,
        "seeds": measure.over_seeds,
        "hidden_units": measure.by_hidden_units,
        "reasoning": reasoning.measure,
        "edited": measure.with_four_times_the_divergence,
        "own": lambda: measure.with_black_and_white_exchanged(runs / "vae"),
        "blur": measure.blur_of_samples,
        "gaussian_decoders": measure.gaussian_decoders,
        "studies": measure_experiments,
    }
    results |= {name: keep(runs / f"{name}.json", part) for name, part in parts.items()}
    return results | {"date": datetime.date.today().isoformat(), "seed": seed, "versions": versions}


def keep(path: Path, measure: Callable[[], dict]) -> dict:
    """What is measured, as JSON has it: from the file, which is written if there is none."""
    if not path.exists():
        print(f"{path} ...", flush=True)
        path.write_text(json.dumps(measure(), default=float), encoding="utf-8")
    return json.loads(path.read_text(encoding="utf-8"))


def measure_experiments() -> dict:
    """The experiments' numbers over seeds, by name."""
    modules = {name: importlib.import_module(f"lecture10_vae.beyond.experiments.{name}") for name in EXPERIMENTS}
    return {name: module.main() for name, module in modules.items()}


def copy_pictures(runs: Path) -> None:
    """What the texts show of the scripts' pictures, figures/<run>_<name>.png, and experiments', study_<name>.png."""
    shown = "".join(template.read_text(encoding="utf-8") for template in TEMPLATES.glob("*.md"))
    pictures = {
        f"{name}_{picture.name}": picture for name in RUNS for picture in (runs / name / "pictures").glob("*.png")
    }
    for name in EXPERIMENTS:
        for picture in Path("runs/experiments", name).glob("*.png"):
            own = "" if picture.stem == name else f"_{picture.stem}"  # an experiment may draw more than the one
            pictures[f"study_{name}{own}.png"] = picture
    for name, picture in pictures.items():
        if f"figures/{name}" in shown:
            shutil.copyfile(picture, FIGURES / name)


def number(value: float, digits: int = 2) -> str:
    """A number as the texts print it."""
    return f"{value:,.{digits}f}"


def percent(value: float, digits: int = 1) -> str:
    """A fraction as a percentage."""
    return number(100 * value, digits)


def spread(values: dict, digits: int = 2, place: int | None = None, show: Callable = number) -> str:
    """Mean and stddev over seeds as the texts print them; of lists of both, those at a place."""
    pair = (values[key] if place is None else values[key][place] for key in ("mean", "stddev"))
    return " ± ".join(show(value, digits) for value in pair)


def percents(values: dict, digits: int = 1, place: int | None = None) -> str:
    """The same of fractions, as percentages."""
    return spread(values, digits, place, percent)


def render(name: str, results: dict) -> str:
    """The text of a template, with Jinja's marks written << >> and <% %> to leave LaTeX its braces."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        undefined=jinja2.StrictUndefined,
        block_start_string="<%",
        block_end_string="%>",
        variable_start_string="<<",
        variable_end_string=">>",
        comment_start_string="<#",
        comment_end_string="#>",
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"number": number, "percent": percent, "spread": spread, "percents": percents}
    benchmark = json.loads((REPOSITORY / "benchmarks" / "results.json").read_text(encoding="utf-8"))
    values = {"code": code, "lines": lines, "test": test, "solutions": ANSWERS, "benchmark": benchmark}
    values |= {"papers": papers.read(), "by_hand": by_hand, "slide": quote_slide, "minutes": page.MINUTES}
    values["flags"] = flags.read()
    values["results"] = results  # for exercises.md, whose macros have the names of some of them
    text = join_chinese_lines(environment.get_template(name).render(**values, **results))
    if name.endswith(ENDINGS["zh"]):
        text = text.replace("[run and edit](playground.html", f"[{page.WORDS['zh']['edit']}](playground.html?lang=zh")
    template = (TEMPLATES / name).relative_to(REPOSITORY).as_posix()
    return f"<!-- Made by make lectures from {template}: edit that. -->\n\n{text}"


def quote_slide(*numbers: str) -> str:
    """The formula, or the code, of slides as they are, in Markdown."""
    if "formula" in slides.SLIDES[numbers[0]]:
        return f"$$\n{slides.formula(*numbers)}\n$$"
    return f"```python\n{slides.code(*numbers)}\n```"


def words(markdown: str) -> int:
    """How many words of prose a text has: without code, formulas, tables, pictures, addresses and links' targets."""
    for pattern in (r"^```.*?^```$", r"\$\$.*?\$\$", r"<!--.*?-->"):
        markdown = re.sub(pattern, "", markdown, flags=re.DOTALL | re.MULTILINE)
    for pattern in (
        r"^(\||    ).*$",
        r"!\[[^\]]*\]\([^)]*\)",
        r"\]\([^)]*\)",
        r"\$[^$]+\$",
        r"`[^`]*`",
        r"</?\w[^>]*>",
    ):
        markdown = re.sub(pattern, " ", markdown, flags=re.MULTILINE)
    return len(re.findall(r"[A-Za-z][\w'-]*", markdown))


def join_chinese_lines(text: str) -> str:
    """Undoes line breaks in Chinese sentences, where a browser would show them as spaces.

    Before a formula a blank stays, without which GitHub sees none; the page takes it away.
    """
    chinese = f"[{CHINESE}{PUNCTUATION}]"
    text = re.sub(rf"(?:(?<={chinese})|(?<=[{CHINESE}]\*\*))\n *(?=\**{chinese})", "", text)  # ** is bold
    not_in_a_list = r"[`*\[A-Za-z]|-?\d(?!\d*\. )"
    return re.sub(rf"(?<=[{PUNCTUATION}])\n *(?={not_in_a_list})", "", text)


def main(record_results: bool = True, runs: Path = Path("runs/lectures")) -> None:
    """Makes the lecture's texts from the runs there are.

    Args:
        record_results: read the runs, measure the rest, copy pictures and draw the diagrams first.
        runs: the folder with the runs of `make lectures`.
    """
    if record_results:
        from lectures.source import diagrams, explorer, playground, training_gif

        RESULTS.write_text(json.dumps(record(runs), indent=1) + "\n")
        copy_pictures(runs)
        diagrams.draw(runs, FIGURES)
        training_gif.make()
        explorer.main(runs)
        playground.main()
    results = json.loads(RESULTS.read_text(encoding="utf-8"))
    for template, path in TEXTS.items():
        path.write_text(render(template, results), encoding="utf-8")
        print(path.relative_to(REPOSITORY))
    notes = {language: {name: read(path) for name, path in pages.items()} for language, pages in PAGES.items()}
    for file, text in (page.render(notes) | deck.render(notes)).items():
        (LECTURES / file).write_text(text, encoding="utf-8")
        print(f"lectures/{file}")


def read(path: Path) -> str:
    """A text of ours."""
    return path.read_text(encoding="utf-8")


if __name__ == "__main__":
    command_line.run(main)
