# ruff: noqa: RUF001, since Chinese has its own punctuation
"""The notes and the READMEs: text, code, figures, links, commands and numbers agree, in both languages."""

import importlib
import inspect
import json
import os
import re
import shutil
import subprocess
import sys

import docstring_parser
import numpy as np
import pytest
from scipy.stats import norm

from lecture10_vae.utils import command_line
from lectures.solutions.answers import ANSWERS
from lectures.source import build, by_hand, deck, flags, page, slides

RESULTS = json.loads(build.RESULTS.read_text(encoding="utf-8"))
TEXTS = {name: path.read_text(encoding="utf-8") for name, path in build.TEXTS.items()}
ENGLISH = [path.name for path in sorted(build.TEMPLATES.glob("*.md")) if ".zh." not in path.name]
SETTINGS = {  # numbers that are no measurement: what was chosen, by us or by an exercise
    "lecture10_vae.md": ["90 %"],  # an example
    "experiments.md": ["0.2", "0.05", "5 %"],  # floors, a threshold
    "papers.md": ["0.01", "0.1", "0.001", "0.0025", "0.5"],  # thresholds, a rate, a stddev, dropout
    "questions.md": ["2.0", "2.16"],  # versions
    "exercises.md": ["0.8", "-0.3", "0.3", "0.6", "1.2", "0.1", "0.05", "0.03", "0.5", "0.2", "98.4"],
    "README.md": ["3.11", "3.12", "3.13"],  # Python's versions
    "working.md": ["3.10", "3.11", "3.12", "3.13", "3.14", "2.6"],  # and gigabytes
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
    "0.12": 100 * np.sqrt(0.0145 / 10_000),  # the standard error of an error of 1.45 %, in %
    "0.34": RESULTS["lower_bound"]["log_evidence_nats"] - RESULTS["lower_bound"]["best_bound_nats"],
}
CITED = r"[A-Z][\w'-]+(?: et al\.| and [A-Z][\w'-]+)? \(?(?:19|20)\d\d"  # Burda et al. (2016, Burda and Grosse 2016
by_text = pytest.mark.parametrize("name", TEXTS)


def prose(template):
    """A template's sentences: without code, maths, addresses, marks and what they print."""
    for pattern, options in (
        (r"<#.*?#>|```.*?```|\$`.*?`\$|\$\$.*?\$\$|\$[^$]+\$|<<.*?>>|<%.*?%>", re.DOTALL),
        (r"`[^`\n]*`|\]\([^)]*\)|https?://\S+|arXiv:\S+|</?\w+[^>]*>|^\s*\d+\. |^ {4}\S.*$", re.MULTILINE),
    ):
        template = re.sub(pattern, " ", template, flags=options)
    return template


def without_code(text):
    return re.sub(r"^```.*?^```$", "", text, flags=re.DOTALL | re.MULTILINE)


def anchors(text):
    """GitHub's names for the headings of a text, in order."""
    headings = re.findall(r"^#+ (.*)$", without_code(text), flags=re.MULTILINE)
    return [re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings]


def template_of(name, language):
    """The template of a page, or of the README."""
    return f"{name.replace('exercises', 'exercises_page')}{build.ENDINGS[language]}"


@by_text
def test_text_is_what_the_template_the_scripts_and_the_results_give(name):
    """Fails when a script or a result has changed since `make lectures`."""
    assert TEXTS[name] == build.render(name, RESULTS)


@pytest.mark.parametrize("name", ENGLISH)
def test_numbers_are_results_constants_settings_or_cited(name):
    """A decimal, percentage or number of nats that no mark prints is on a list above, or has a source beside it."""
    assert all(f"{value:,.{len(number.partition('.')[2])}f}" == number for number, value in CONSTANTS.items())
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


def test_flags_in_chinese_are_those_of_the_command_line_with_their_defaults():
    told = set()
    for script in flags.read():
        main = importlib.import_module(script.path.removesuffix(".py").replace("/", ".")).main
        parser = command_line.make_parser(main)
        defaults = {flag: parser.get_default(flag.removeprefix("--").replace("-", "_")) for flag, *_ in script.flags}
        assert list(defaults) == [action.option_strings[0] for action in parser._actions[1:]]  # the first is --help
        for (_, shown, _), default in zip(script.flags, defaults.values(), strict=True):
            if default is None or default is False:
                assert shown == {None: "无", False: "否"}[default]
            else:
                assert shown == f"`{default}`".replace(f"{build.REPOSITORY}/", "")
        docstring = docstring_parser.parse(main.__doc__)
        told |= {docstring.short_description, *(" ".join(each.description.split()) for each in docstring.params)}
    assert told == set(flags.CHINESE)


@pytest.mark.skipif(shutil.which("make") is None, reason="no make here")
@pytest.mark.parametrize(("language", "file"), [("zh_CN.UTF-8", "index.zh.html"), ("en_US.UTF-8", "index.html")])
def test_make_notes_opens_the_page_in_the_systems_language(language, file):
    system = os.environ | {"LANG": language, "LC_ALL": "", "LC_MESSAGES": ""}
    command = ["make", "--dry-run", "notes", "-C", str(build.REPOSITORY)]
    done = subprocess.run(command, env=system, capture_output=True, text=True, check=True)
    assert re.findall(r"webbrowser -t \"file://.*/lectures/(.+)\"", done.stdout) == [file]


def test_messages_explained_in_chinese_are_what_the_scripts_say():
    said = "".join(path.read_text(encoding="utf-8") for path in flags.PACKAGE.rglob("*.py"))
    table = TEXTS["help.zh.md"].partition("## 运行时的错误")[2].partition("## 全部参数")[0]
    rows = re.findall(r"^\| (`.*?) \|", table, flags=re.MULTILINE)
    assert len(rows) >= 10
    for message in re.findall(r"`([^`]+)`", " ".join(rows)):
        assert all(piece.strip() in said for piece in message.split("…")), message


def test_the_data_are_told_of_in_both_languages_with_the_same_sizes_and_digests():
    texts = [(build.REPOSITORY / "data" / name).read_text(encoding="utf-8") for name in ("README.md", "README.zh.md")]
    found = [re.findall(r"[\w-]+-ubyte(?:\.gz)? \| [\d,]+ \| `\w{64}`", text) for text in texts]
    assert len(found[0]) == 8
    assert found[0] == found[1]


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
    assert commands or not name.startswith(("README", "working"))
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
            file, _, anchor = re.sub(r"\?lang=zh", "", link).partition("#")
            target = (path.parent / file).resolve() if file else path
            if not link.startswith("https://"):
                shown.add(target)
                assert target.exists(), link
                if target.suffix == ".md" and anchor:
                    assert anchor in anchors(target.read_text(encoding="utf-8")), link
    assert set(build.FIGURES.rglob("*.png")) <= shown


@pytest.mark.parametrize("name", [*build.PAGES["en"], "README"])
def test_both_languages_have_the_same_pictures_sections_tables_code_and_formulas(name):
    english, chinese = (TEXTS[template_of(name, language)] for language in build.PAGES)
    for pattern in (
        r"!\[[^\]]{4,}\]\(([^)]+)\)",  # pictures, each with a description
        r"^(#+) (?:Slides?|幻灯片) ([\d-]+)",
        r"^\|",
        r"^```python\n(.*?)^```$",
        r"^\$\$\n(.*?)^\$\$$",
    ):
        found = [re.findall(pattern, text, flags=re.DOTALL | re.MULTILINE) for text in (english, chinese)]
        without_words = [[re.sub(r"\\text\{[^}]*\}", "", str(one)) for one in all_of_it] for all_of_it in found]
        assert without_words[0] == without_words[1], pattern


@pytest.mark.parametrize("name", build.PAGES["en"])
def test_each_formula_names_its_symbols_the_same_ones_in_both_languages(name):
    after = r"^\$\$\n\n(.*?)(?=\n\n|\Z)"
    named = []
    for language, start in (("en", "*Symbols:*"), ("zh", "符号：")):
        paragraphs = re.findall(after, TEXTS[template_of(name, language)], flags=re.DOTALL | re.MULTILINE)
        assert all(paragraph.startswith(start) for paragraph in paragraphs)
        named.append([set(re.findall(r"\$(.+?)\$", paragraph)) for paragraph in paragraphs])
    assert named[0] == named[1]


@pytest.mark.parametrize("name", ["questions.md", "questions.zh.md"])
def test_each_mistake_is_told_with_a_test_that_there_is(name):
    tests = (build.REPOSITORY / "tests" / "test_slide_errata.py").read_text(encoding="utf-8")
    points = re.findall(r"^(\d+)\. \*\*.*?`(test_\w+)`", TEXTS[name], flags=re.DOTALL | re.MULTILINE)
    rows = re.findall(r"^\| (\d+) \|", TEXTS[name].partition("\n### ")[0], flags=re.MULTILINE)
    assert [number for number, _ in points] == rows == [str(i) for i in range(1, len(rows) + 1)]
    assert all(f"\ndef {test}(" in tests for _, test in points)


@pytest.mark.parametrize("language", build.PAGES)
def test_the_lecture_quotes_every_slide_as_it_is(language):
    text = build.NOTES[language].read_text(encoding="utf-8")
    for slide in slides.SLIDES.values():
        assert (slide.get("code") or f"$$\n{slide['formula'].strip()}\n$$").strip() in text


def test_the_lecture_is_read_in_an_hour():
    text = TEXTS["lecture10_vae.md"]
    assert build.words(text) <= 6_000
    for number, section in deck.sections(text).items():
        assert 40 < build.words(section) / page.MINUTES[number] < 120, number
    assert 45 <= sum(page.MINUTES.values()) <= 75


def test_words_are_those_of_the_prose():
    text = "# Three words here\n\nTwo $x + y$ `code()` [links](to.md).\n\n| a | table |\n\n$$\na + b\n$$\n"
    assert build.words(f"{text}\n```python\nno = 1\n```\n\n![a picture](x.png) It's.\n") == 6


CASES = [(2.0, 1.0, 0.0, 1.0), (2.0, 1.0, 1.0, 0.7), (-0.5, 0.3, 0.4, 0.2)]  # observation, noise, Q's mean and stddev


@pytest.mark.parametrize(("x", "s", "m", "v"), CASES)
def test_each_line_by_hand_agrees_with_quadrature(x, s, m, v):
    z, cell = np.linspace(-12, 12, 200_001, retstep=True)
    log_likelihood, log_prior, log_q = norm.logpdf(x, z, s), norm.logpdf(z), norm.logpdf(z, m, v)
    log_joint, q = log_likelihood + log_prior, np.exp(log_q)
    log_evidence = np.log(np.sum(np.exp(log_joint)) * cell)
    assert by_hand.log_evidence(x, s) == pytest.approx(log_evidence)
    posterior = np.exp(log_joint - log_evidence) * cell
    mean = posterior @ z
    assert by_hand.posterior(x, s) == pytest.approx((mean, np.sqrt(posterior @ (z - mean) ** 2)))
    assert by_hand.reconstruction(x, s, m, v) == pytest.approx(np.sum(q * log_likelihood) * cell)
    assert by_hand.divergence(m, v) == pytest.approx(np.sum(q * (log_q - log_prior)) * cell)
    assert by_hand.bound(x, s, m, v) == pytest.approx(np.sum(q * (log_joint - log_q)) * cell)
    assert by_hand.gap(x, s, m, v) == pytest.approx(log_evidence - np.sum(q * (log_joint - log_q)) * cell)
    in_m, in_v = (
        [by_hand.bound(x, s, m + a, v + b) for a, b in ways]
        for ways in (((-0.001, 0), (0.001, 0)), ((0, -0.001), (0, 0.001)))
    )
    slopes = ((in_m[1] - in_m[0]) / 0.002, (in_v[1] - in_v[0]) / 0.002)
    assert by_hand.slope(x, s, m, v) == pytest.approx(slopes, abs=1e-4)


def test_ascent_by_hand_ends_at_the_posterior_where_the_bound_is_the_evidence():
    x, s, m, v = 2.0, 1.0, -1.0, 2.0
    for _ in range(500):
        in_m, in_v = by_hand.slope(x, s, m, v)
        m, v = m + 0.1 * in_m, v + 0.1 * in_v
    assert (m, v) == pytest.approx(by_hand.posterior(x, s))
    assert by_hand.bound(x, s, m, v) == pytest.approx(by_hand.log_evidence(x, s))
    assert by_hand.gap(x, s, m, v) == pytest.approx(0, abs=1e-9)


@pytest.mark.slow
def test_lines_for_code_of_ones_own_run_a_slide():
    """In a Python that has loaded no TensorFlow."""
    (block,) = re.findall(r"^```python\n(.*?)^```$", TEXTS["questions.md"], flags=re.DOTALL | re.MULTILINE)
    slide = slides.code("17-18").replace("tfd = tf.contrib.distributions\n", "")
    given = "inputs, label = tf.placeholder(tf.float32, [None, 784]), tf.zeros([10])"
    done = subprocess.run(
        [sys.executable, "-c", "\n".join([block, given, slide, "print(optimize.type)"])],
        env={key: value for key, value in os.environ.items() if key != "TF_USE_LEGACY_KERAS"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "NoOp\n", done.stderr[-300:]
