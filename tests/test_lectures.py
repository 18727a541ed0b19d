# ruff: noqa: RUF001, since Chinese has its own punctuation
"""The notes and the READMEs: text, code, figures, links, commands and numbers agree, in both languages."""

import importlib
import inspect
import json
import re

import numpy as np
import pytest

from lectures.solutions.answers import ANSWERS
from lectures.source import build

RESULTS = json.loads(build.RESULTS.read_text(encoding="utf-8"))
TEXTS = {name: path.read_text(encoding="utf-8") for name, path in build.TEXTS.items()}
ENGLISH = ("lecture10_vae.md", "exercises.md", "hands_on.md", "tensorboard.md", "README.md")
SETTINGS = {  # numbers that are no measurement: what was chosen, by us or by an exercise
    "lecture10_vae.md": ["0.2", "0.05", "90 %", "5 %", "2.0", "2.16"],  # a floor, an example, a threshold, versions
    "exercises.md": ["0.8", "-0.3", "0.3", "0.6", "1.2", "0.1", "0.05", "0.03", "0.5", "0.2", "98.4"],
    "README.md": ["3.10", "3.11", "3.12", "3.13", "3.14", "2.6"],  # Python's versions, gigabytes
}
CONSTANTS = {  # what a reader may compute
    "9.19": 5 * np.log(2 * np.pi),
    "9.189": 5 * np.log(2 * np.pi),
    "-9.189": -5 * np.log(2 * np.pi),
    "0.69": np.log(2),  # softplus(0)
    "0.018": np.log1p(np.exp(-4)),
    "0.0181": np.log1p(np.exp(-4)),
    "2.303": np.log(10),
    "0.44": np.sqrt(1 - 0.9**2),
    "3.62": 2 * ((0.1**2 - 1) / 2 - np.log(0.1)),
    "1.38": 2 * (np.log(2) - (0.1**2 - 0.05**2) / 2),
    "35.1": 10 * ((0.0181**2 - 1) / 2 - np.log(0.0181)),
    "0.45": (0.9**2 + 9 * 0.1**2) / 2,
    "0.34": RESULTS["lower_bound"]["log_evidence_nats"] - RESULTS["lower_bound"]["best_bound_nats"],
}
CITED = r"[A-Z][\w'-]+(?: et al\.| and [A-Z][\w'-]+)? \(?(?:19|20)\d\d"  # Burda et al. (2016, Burda and Grosse 2016
by_text = pytest.mark.parametrize("name", TEXTS)


def prose(template):
    """A template's sentences: without code, maths, addresses, marks and what they print."""
    for pattern, flags in (
        (r"<#.*?#>|```.*?```|\$`.*?`\$|\$\$.*?\$\$|\$[^$]+\$|<<.*?>>|<%.*?%>", re.DOTALL),
        (r"`[^`\n]*`|\]\([^)]*\)|https?://\S+|arXiv:\S+|</?\w+[^>]*>|^\s*\d+\. |^ {4}\S.*$", re.MULTILINE),
    ):
        template = re.sub(pattern, " ", template, flags=flags)
    return template


def without_code(text):
    return re.sub(r"^```.*?^```$", "", text, flags=re.DOTALL | re.MULTILINE)


def anchors(text):
    """GitHub's names for the headings of a text, in order."""
    headings = re.findall(r"^#+ (.*)$", without_code(text), flags=re.MULTILINE)
    return [re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings]


@by_text
def test_text_is_what_the_template_the_scripts_and_the_results_give(name):
    """Fails when a script or a result has changed since `make lectures`."""
    assert TEXTS[name] == build.render(name, RESULTS)


@pytest.mark.parametrize("name", ENGLISH)
def test_numbers_are_results_constants_settings_or_cited(name):
    """A decimal, percentage or number of nats that no mark prints is on a list above, or has a source beside it."""
    assert all(f"{value:.{len(number.partition('.')[2])}f}" == number for number, value in CONSTANTS.items())
    text = prose((build.TEMPLATES / name).read_text(encoding="utf-8"))
    for sentence in re.split(r"(?<=[.:?])\s|\n\n", text):
        numbers = re.findall(r"(?<![\w.,])-?\d[\d,]*\.\d+|(?<![\w.])-?\d+(?= nats)|(?<![\w.])\d+ %", sentence)
        assert {*numbers} <= {*SETTINGS.get(name, ()), *CONSTANTS} or re.search(CITED, sentence), sentence


def assert_chinese(text):
    """Asserts that a Chinese Markdown text has Chinese sentences and marks, and no blanks that would show."""
    assert not re.search(rf"(?<!\*)\*(?!\*)[^*\n]*[{build.CHINESE}][^*\n]*\*(?!\*)", text), "italics"
    assert not re.search(r"(?:\b[A-Za-z]+[ ,]+){5,}", prose(text)), "an English sentence"
    text = re.sub(r"```.*?```|\$\$.*?\$\$|\$.+?\$|`.*?`|<<.*?>>|<%.*?%>|!\[|\]\(.*?\)", "A", text, flags=re.DOTALL)
    for wrong in (r"{0}[,;:?!()]|[,;:?!()]{0}", r"{0} +{0}", r"[{1}] +{0}", r"{0} +[{1}]", r"\d x \d"):
        assert not re.search(wrong.format(f"[{build.CHINESE}]", build.PUNCTUATION), text), wrong


@pytest.mark.parametrize("name", [path.name for path in sorted(build.TEMPLATES.glob("*.zh.md"))])
def test_chinese_has_its_own_sentences_and_marks(name):
    template = (build.TEMPLATES / name).read_text(encoding="utf-8")
    assert_chinese(template.partition("\n## 参考文献\n")[0])  # before the titles in English
    lines = rf"[{build.CHINESE}{build.PUNCTUATION}]\n *[{build.CHINESE}]"
    assert not re.search(lines, without_code(TEXTS.get(name, ""))), "a line break that shows"


def test_results_are_complete_and_of_one_seed():
    assert {"date", "seed", "versions", *build.RUNS} <= set(RESULTS)
    assert set(build.EXPERIMENTS) == set(RESULTS["studies"])
    assert all(RESULTS[run]["seed"] == RESULTS["seed"] == 0 for run in build.RUNS)
    for script, name in (("vae", "elbo"), ("regression", "accuracy"), ("classification", "accuracy")):
        values = RESULTS["seeds"][script][name]["values"]
        assert values[0] == pytest.approx(RESULTS[script]["history"][-1]["test"][name], rel=2e-3)
    one_confidence = ANSWERS["classification"]["log_prob_of_one_confidence"]  # as an exercise supposes, right on 98.4 %
    assert RESULTS["classification"]["accuracy"] < 0.984
    assert RESULTS["classification"]["log_prob"] > one_confidence.value


@pytest.mark.parametrize("script", ["regression", "classification"])
def test_scripts_train_for_the_epochs_that_are_best_on_held_out_images(script):
    held_out, main = RESULTS["held_out"][script], importlib.import_module(f"lecture10_vae.{script}").main
    chosen, by_epoch = held_out["epochs"], np.array(held_out["log_prob_by_epoch_nats"])
    assert inspect.signature(main).parameters["epochs"].default == chosen == RESULTS[script]["epochs"]
    assert by_epoch[chosen - 1] > by_epoch.max() - 1e-4 > by_epoch[: chosen - 1].max()


def test_numbers_of_the_scripts_docstrings_are_results():
    """All that have decimals or a minus sign, and the numbers of epochs, in their order."""
    by_step = RESULTS["amortized_inference"]["per_image_elbo_by_step_nats"]
    assert by_step["50"] < RESULTS["amortized_inference"]["encoder_elbo_nats"] < by_step["100"]  # "50 and 100 steps"
    accuracy = {script: RESULTS["seeds"][script]["accuracy"] for script in ("regression", "classification")}
    accuracy["layer"] = RESULTS["studies"]["two_layers"]["bayesian"]["accuracy"]
    percent = {name: {key: 100 * of_seeds[key] for key in ("mean", "stddev")} for name, of_seeds in accuracy.items()}
    gap = [run["log_evidence_nats"] - run["best_bound_nats"] for name, run in RESULTS.items() if "lower_bound" in name]
    cited = {
        "vae": "{vae[history][0][test][elbo]:.0f} {vae[elbo]:.1f} {vae[epochs]} {vae[test_log_likelihood_nats]:.1f} "
        "{seeds[vae][elbo][mean]:.1f} {seeds[vae][elbo][stddev]:.1f}",
        "variational_inference": "{variational_inference[elbo]:.1f} {variational_inference[epochs]} "
        "{variational_inference[test_log_likelihood_nats]:.1f} {variational_inference[train_log_likelihood_nats]:.1f}",
        "amortized_inference": "{amortized_inference[inference_gap_nats]:.1f} "
        "{amortized_inference[amortization_gap_nats]:.1f} {amortized_inference[approximation_gap_nats]:.2f}",
        "regression": "{regression[epochs]} {percent[regression][mean]:.1f} {percent[regression][stddev]:.2f} "
        "{regression[log_prob]:.1f} {regression_stddev[log_prob]:.1f} 0.2",
        "classification": "{classification[epochs]} {percent[classification][mean]:.1f} "
        "{percent[classification][stddev]:.2f} {percent[regression][mean]:.1f} {regression[epochs]}",
        "lower_bound": "{gap[0]:.2f} {gap[1]:.2f}",
        "bayesian_network": "{bayesian_network[epochs]} {percent[layer][mean]:.1f}",
    }
    for script, numbers in cited.items():
        docstring = importlib.import_module(f"lecture10_vae.{script}").__doc__
        found = re.findall(r"(?<=fter )\d+|(?<!\d)-\d+(?:\.\d+)?|\d+\.\d+", docstring)
        assert " ".join(found) == numbers.format(percent=percent, gap=gap, **RESULTS), script


@by_text
def test_every_command_is_there_with_its_flags(name):
    """What is indented as a command, or in a line of text, names targets, files and flags that exist."""
    text = without_code(TEXTS[name])
    commands = re.findall(r"^    (?:\.venv/bin/)?((?:make|python) .*)$", text, flags=re.MULTILINE)
    commands += re.findall(r"`((?:make|python) [^`]+)`", text)
    assert commands
    makefile = (build.REPOSITORY / "Makefile").read_text(encoding="utf-8").replace("\\\n", "")
    makefile = makefile.replace("$(SCRIPTS)", re.search(r"^SCRIPTS := (.*)$", makefile, flags=re.MULTILINE)[1])
    targets = set(" ".join(re.findall(r"^\.PHONY: (.*)$", makefile, flags=re.MULTILINE)).split())
    for command in commands:
        program, *arguments = command.partition("#")[0].split()
        if program == "make":
            assert set(arguments) <= targets, command
        elif arguments[0].endswith(".py"):
            script = importlib.import_module(arguments[0].removesuffix(".py").replace("/", "."))
            if flags := {argument for argument in arguments if argument.startswith("--")} - {"--help"}:
                named = {f"--{name.replace('_', '-')}" for name in inspect.signature(script.main).parameters}
                assert flags <= named, command
        else:
            assert arguments[:2] in (["-m", module] for module in ("venv", "pip", "jupyter", "pytest")), command


def test_every_link_leads_somewhere_and_every_picture_is_shown():
    shown = set()
    for name, path in build.TEXTS.items():
        for link in re.findall(r"\]\(([^)\s]+)\)", without_code(TEXTS[name])):
            file, _, anchor = link.partition("#")
            target = (path.parent / file).resolve() if file else path
            if not link.startswith("https://"):
                shown.add(target)
                assert target.exists(), link
                if target.suffix == ".md" and anchor:
                    assert anchor in anchors(target.read_text(encoding="utf-8")), link
    assert set(build.FIGURES.rglob("*.png")) <= shown


@pytest.mark.parametrize("name", ["lecture10_vae", "README"])
def test_both_languages_have_the_same_pictures_sections_tables_code_and_formulas(name):
    english, chinese = TEXTS[f"{name}.md"], TEXTS[f"{name}.zh.md"]
    for pattern in (
        r"!\[[^\]]{4,}\]\(([^)]+)\)",  # pictures, each with a description
        r"^(#+) (?:Slides?|幻灯片) ([\d-]+)",
        r"^\|",
        r"^```python\n(.*?)^```$",
        r"^\$\$\n(.*?)^\$\$$",
    ):
        found = [re.findall(pattern, text, flags=re.DOTALL | re.MULTILINE) for text in (english, chinese)]
        without_words = [[re.sub(r"\\text\{[^}]*\}", "", str(one)) for one in all_of_it] for all_of_it in found]
        assert without_words[0] == without_words[1]


def test_each_formula_names_its_symbols_the_same_ones_in_both_languages():
    after = r"^\$\$\n\n(.*?)(?=\n\n|\Z)"
    named = {}
    for name, start in (("lecture10_vae.md", "*Symbols:*"), ("lecture10_vae.zh.md", "符号：")):
        paragraphs = re.findall(after, TEXTS[name], flags=re.DOTALL | re.MULTILINE)
        assert all(paragraph.startswith(start) for paragraph in paragraphs)
        named[name] = [set(re.findall(r"\$(.+?)\$", paragraph)) for paragraph in paragraphs]
    assert named["lecture10_vae.md"] == named["lecture10_vae.zh.md"]


@pytest.mark.parametrize("name", ["lecture10_vae.md", "lecture10_vae.zh.md"])
def test_the_thirteen_mistakes_are_told_each_with_a_test_that_there_is(name):
    tests = (build.REPOSITORY / "tests" / "test_slide_errata.py").read_text(encoding="utf-8")
    points = re.findall(r"^(\d+)\. \*\*.*?`(test_\w+)`", TEXTS[name], flags=re.DOTALL | re.MULTILINE)
    assert [int(point) for point, _ in points] == list(range(1, 14))
    assert all(f"\ndef {test}(" in tests for _, test in points)
