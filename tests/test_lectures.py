# ruff: noqa: RUF001, since Chinese has its own punctuation
"""The notes and the READMEs: text, code, figures, links, commands and numbers agree, in both languages."""

import ast
import importlib
import inspect
import json
import re
import struct

import numpy as np
import pytest

from lectures.solutions.answers import ANSWERS
from lectures.source import build

RESULTS = json.loads(build.RESULTS.read_text(encoding="utf-8"))
NOTES = {"en": build.TEXTS["lecture10_vae.md"], "zh": build.TEXTS["lecture10_vae.zh.md"]}
READMES = {"en": build.TEXTS["README.md"], "zh": build.TEXTS["README.zh.md"]}
SYMBOLS = {"en": "*Symbols:*", "zh": "符号："}


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
IN_CHINESE = [path.name for path in sorted(build.TEMPLATES.glob("*.zh.md"))]


def prose(template):
    """A template's sentences: without code, maths, addresses, marks and what they print."""
    for pattern, flags in (
        (r"<#.*?#>|```.*?```|\$`.*?`\$|\$\$.*?\$\$|\$[^$]+\$|<<.*?>>|<%.*?%>", re.DOTALL),
        (r"`[^`\n]*`|\]\([^)]*\)|https?://\S+|arXiv:\S+|</?\w+[^>]*>|^\s*\d+\. |^ {4}\S.*$", re.MULTILINE),
    ):
        template = re.sub(pattern, " ", template, flags=flags)
    return template


def links(text):
    """What a Markdown text links to, pictures included, outside of its code."""
    text = re.sub(r"^```.*?^```$", "", text, flags=re.DOTALL | re.MULTILINE)
    return re.findall(r"\]\(([^)\s]+)\)", text)


@pytest.mark.parametrize(
    ("lines", "joined"),
    [
        ("一句，\n又一句", "一句，又一句"),
        ("后验，\n$Q$ 和\n`q`，\n`p`", "后验，\n$Q$ 和\n`q`，`p`"),
        ("下界是，\n-153.8 奈特；\n27 维", "下界是，-153.8 奈特；27 维"),
        ("见、\n[讲义](a.md)", "见、[讲义](a.md)"),
        ("叫做\n**后验**\n，即**先验**\n之后", "叫做**后验**，即**先验**之后"),
        ("三步：\n1. 采样\n   2. 解码。\n10. 更新", "三步：\n1. 采样\n   2. 解码。\n10. 更新"),
        ("有两种：\n- 灰度\n\n**小结**\n\n- 二值", "有两种：\n- 灰度\n\n**小结**\n\n- 二值"),
        ("从 VAE\n采样", "从 VAE\n采样"),
    ],
)
def test_lines_of_chinese_are_joined_where_no_space_belongs(lines, joined):
    assert build.join_chinese_lines(lines) == joined


def pictures(text):
    return re.findall(r"!\[[^\]]*\]\(([^)]+)\)", text)


def formulas(text):
    """Displayed formulas, their words left out, each with the paragraph after it."""
    text = re.sub(r"\\text\{[^}]*\}", r"\\text{}", text)
    return re.findall(r"^\$\$\n(.*?)^\$\$\n\n(.*?)(?=\n\n|\Z)", text, flags=re.DOTALL | re.MULTILINE)


def anchors(text):
    """GitHub's names for the headings of a text, in order."""
    text = re.sub(r"^```.*?^```$", "", text, flags=re.DOTALL | re.MULTILINE)
    headings = re.findall(r"^#+ (.*)$", text, flags=re.MULTILINE)
    return [re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings]


@pytest.mark.parametrize("name", build.TEXTS)
def test_text_is_what_the_template_the_scripts_and_the_results_give(name):
    """Fails when a script or a result has changed since `make lectures`."""
    assert build.TEXTS[name].read_text(encoding="utf-8") == build.render(name, RESULTS)


@pytest.mark.parametrize("path", build.TEXTS.values(), ids=build.TEXTS)
def test_first_line_says_what_the_text_is_made_from_and_the_next_is_the_title(path):
    comment, _, title, *_ = path.read_text(encoding="utf-8").splitlines()
    template = re.fullmatch(r"<!-- Made by make lectures from (\S+): edit that\. -->", comment)[1]
    assert (build.REPOSITORY / template).read_text(encoding="utf-8").find(f"{title}\n") >= 0
    assert re.match("# [^#]", title)


@pytest.mark.parametrize("name", ENGLISH)
def test_numbers_are_results_constants_settings_or_cited(name):
    """A decimal, percentage or number of nats that no mark prints is on a list above, or has a source beside it."""
    text = prose((build.TEMPLATES / name).read_text(encoding="utf-8"))
    for sentence in re.split(r"(?<=[.:?])\s|\n\n", text):
        numbers = re.findall(r"(?<![\w.,])-?\d[\d,]*\.\d+|(?<![\w.])-?\d+(?= nats)|(?<![\w.])\d+ %", sentence)
        allowed = {*SETTINGS.get(name, ()), *CONSTANTS}
        assert set(numbers) <= allowed or re.search(CITED, sentence), sentence


@pytest.mark.parametrize("number", CONSTANTS)
def test_constants_are_what_they_are_printed_as(number):
    assert f"{CONSTANTS[number]:.{len(number.partition('.')[2])}f}" == number


def assert_chinese(text):
    """Asserts that a Chinese Markdown text has Chinese sentences and marks, and no blanks that would show."""
    assert not re.search(rf"(?<!\*)\*(?!\*)[^*\n]*[{build.CHINESE}][^*\n]*\*(?!\*)", text), "italics"
    assert not re.search(r"(?:\b[A-Za-z]+[ ,]+){5,}", prose(text)), "an English sentence"
    text = re.sub(r"```.*?```|\$\$.*?\$\$|\$.+?\$|`.*?`|<<.*?>>|<%.*?%>|!\[|\]\(.*?\)", "A", text, flags=re.DOTALL)
    for wrong in (r"{0}[,;:?!()]|[,;:?!()]{0}", r"{0} +{0}", r"[{1}] +{0}", r"{0} +[{1}]", r"\d x \d"):
        assert not re.search(wrong.format(f"[{build.CHINESE}]", build.PUNCTUATION), text), wrong


@pytest.mark.parametrize("name", IN_CHINESE)
def test_chinese_has_its_own_sentences_and_marks(name):
    template = (build.TEMPLATES / name).read_text(encoding="utf-8")
    assert_chinese(template.partition("\n## 参考文献\n")[0])  # before the titles in English


def test_each_paper_that_the_notes_cite_is_among_their_sources():
    text = (build.TEMPLATES / "lecture10_vae.md").read_text(encoding="utf-8")
    body, sources = text.split("\n## Sources\n")
    entries = [" ".join(entry.split()) for entry in re.split(r"^- ", sources, flags=re.MULTILINE)[1:]]
    authors = r"([A-Z][\w-]+)(?:(?:, [A-Z][\w-]+)* and [A-Z][\w-]+| et al\.)? \(?((?:19|20)\d\d)\b"
    cited = set(re.findall(authors, " ".join(prose(body).split()))) - {("February", "2018")}
    assert len(cited) > 25
    for name, year in cited:
        assert any(re.search(rf"\b{name}\b", entry) and year in entry for entry in entries), (name, year)


def test_results_say_when_with_which_seed_and_versions_they_were_measured():
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", RESULTS["date"])
    assert RESULTS["seed"] == 0
    assert {"tensorflow", "tensorflow-probability", "numpy"} <= set(RESULTS["versions"])
    assert set(build.RUNS) <= set(RESULTS)
    assert set(build.EXPERIMENTS) == set(RESULTS["studies"])
    assert all(run["seed"] == 0 for run in map(RESULTS.get, build.RUNS))


@pytest.mark.parametrize("script", ["regression", "classification"])
def test_scripts_train_for_the_epochs_that_are_best_on_held_out_images(script):
    main = importlib.import_module(f"lecture10_vae.{script}").main
    chosen, *others = (RESULTS["held_out"][script][name] for name in ("epochs", "log_prob_nats", "accuracy"))
    assert inspect.signature(main).parameters["epochs"].default == chosen == RESULTS[script]["epochs"]
    by_epoch = np.array(RESULTS["held_out"][script]["log_prob_by_epoch_nats"])
    assert len(by_epoch) > 1.5 * chosen  # long enough to see it fall again
    assert by_epoch[chosen - 1] > by_epoch.max() - 1e-4 > by_epoch[: chosen - 1].max()
    assert {len(of_seeds["values"]) for of_seeds in others} == {5}


@pytest.mark.parametrize(
    ("script", "name"), [("vae", "elbo"), ("regression", "accuracy"), ("classification", "accuracy")]
)
def test_first_seed_of_a_spread_is_the_run_itself(script, name):
    values = RESULTS["seeds"][script][name]["values"]
    assert values[0] == pytest.approx(RESULTS[script]["history"][-1]["test"][name], rel=2e-3)
    assert RESULTS["seeds"][script][name]["mean"] == pytest.approx(np.mean(values))
    assert RESULTS["seeds"][script][name]["stddev"] == pytest.approx(np.std(values, ddof=1))


def test_scripts_docstrings_cite_the_results():
    vae, inference, amortized = (RESULTS[name] for name in ("vae", "variational_inference", "amortized_inference"))
    regression, learned, classification = (
        RESULTS[name] for name in ("regression", "regression_stddev", "classification")
    )
    diagonal, full = (RESULTS[name] for name in ("lower_bound", "lower_bound_full"))
    bayesian = RESULTS["studies"]["two_layers"]["bayesian"]
    bound, squared, crossed = (
        RESULTS["seeds"][script][name]
        for script, name in (("vae", "elbo"), ("regression", "accuracy"), ("classification", "accuracy"))
    )
    bounds, encoders = amortized["per_image_elbo_by_step_nats"], amortized["encoder_elbo_nats"]
    assert bounds["50"] < encoders < bounds["100"]
    cited = {
        "vae": [
            f"starts near {vae['history'][0]['test']['elbo']:.0f} and",
            f"reaches {vae['elbo']:.1f} after {vae['epochs']} epochs",
            f"ln P(x) {vae['test_log_likelihood_nats']:.1f}",
            f"the bound is {bound['mean']:.1f}, with a stddev of {bound['stddev']:.1f}",
        ],
        "variational_inference": [
            f"comes to {inference['elbo']:.1f} after {inference['epochs']} epochs",
            f"is {inference['test_log_likelihood_nats']:.1f} on the first 2,000",
            f"and {inference['train_log_likelihood_nats']:.1f} on as many",
        ],
        "amortized_inference": [
            "between 50 and 100 steps",
            f"the {amortized['inference_gap_nats']:.1f} nats",
            f"the amortization gap has at least {amortized['amortization_gap_nats']:.1f}",
            f"the approximation gap at most {amortized['approximation_gap_nats']:.2f}",
        ],
        "regression": [
            f"After {regression['epochs']} epochs",
            f"{100 * squared['mean']:.1f} %",
            f"stddev {100 * squared['stddev']:.2f}",
            f"{regression['log_prob']:.1f} to {learned['log_prob']:.1f} nats",
        ],
        "classification": [
            f"After {classification['epochs']} epochs",
            f"{100 * crossed['mean']:.1f} %",
            f"stddev {100 * crossed['stddev']:.2f}",
            f"on {100 * squared['mean']:.1f} after {regression['epochs']}",
        ],
        "lower_bound": [
            f"{diagonal['log_evidence_nats'] - diagonal['best_bound_nats']:.2f} nats below",
            f"covariance, {full['log_evidence_nats'] - full['best_bound_nats']:.2f}",
        ],
        "bayesian_network": [f"{100 * bayesian['accuracy']['mean']:.1f} %"],
    }
    for script, numbers in cited.items():
        text = ast.get_docstring(ast.parse((build.REPOSITORY / "lecture10_vae" / f"{script}.py").read_text()))
        for number in numbers:
            assert number in " ".join(text.split()), script


def test_classifier_is_right_less_often_than_the_exercise_supposes_and_knows_more():
    assert RESULTS["classification"]["accuracy"] < 0.984
    assert RESULTS["classification"]["log_prob"] > ANSWERS["classification"]["log_prob_of_one_confidence"].value


@pytest.mark.parametrize("path", build.TEXTS.values(), ids=build.TEXTS)
def test_every_command_is_there_with_its_flags(path):
    """What is indented as a command, or in a line of text, names targets, files and flags that exist."""
    text = re.sub(r"^```.*?^```$", "", path.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    commands = re.findall(r"^    (?:\.venv/bin/)?((?:make|python) .*)$", text, flags=re.MULTILINE)
    commands += re.findall(r"`((?:make|python) [^`]+)`", text)
    assert commands
    makefile = (build.REPOSITORY / "Makefile").read_text(encoding="utf-8").replace("\\\n", "")
    makefile = makefile.replace("$(SCRIPTS)", re.search(r"^SCRIPTS := (.*)$", makefile, flags=re.MULTILINE)[1])
    targets = set(" ".join(re.findall(r"^\.PHONY: (.*)$", makefile, flags=re.MULTILINE)).split())
    assert all(re.search(rf"^.*\b{target}\b.*:", makefile, flags=re.MULTILINE) for target in targets)
    for command in commands:
        program, *arguments = command.partition("#")[0].split()
        if program == "make":
            assert set(arguments) <= targets, command
        elif arguments[0].endswith(".py"):
            assert (build.REPOSITORY / arguments[0]).exists(), command
            script = importlib.import_module(arguments[0].removesuffix(".py").replace("/", "."))
            flags = {argument for argument in arguments if argument.startswith("--")} - {"--help"}
            named = {f"--{name.replace('_', '-')}" for name in inspect.signature(script.main).parameters}
            assert flags <= named, command
        else:
            assert arguments[:2] in (["-m", module] for module in ("venv", "pip", "jupyter", "pytest")), command


@pytest.mark.parametrize("path", build.TEXTS.values(), ids=build.TEXTS)
def test_every_link_and_picture_leads_somewhere(path):
    targets = links(path.read_text(encoding="utf-8"))
    assert len(targets) > 20
    for link in targets:
        if link.startswith("https://"):
            continue
        file, _, anchor = link.partition("#")
        target = (path.parent / file).resolve() if file else path
        assert target.exists(), link
        assert target.is_relative_to(build.REPOSITORY)
        if target.suffix == ".md" and anchor:
            assert anchor in anchors(target.read_text(encoding="utf-8")), link


@pytest.mark.parametrize("texts", [NOTES, READMES], ids=["notes", "READMEs"])
def test_both_languages_have_the_same_pictures_slides_tables_and_code(texts):
    english, chinese = (texts[language].read_text(encoding="utf-8") for language in ("en", "zh"))
    assert pictures(english) == pictures(chinese)
    for text in (english, chinese):
        assert all(re.search(r"!\[[^\]]{4,}\]", line) for line in text.splitlines() if line.startswith("!["))
    slides = [re.findall(r"^## (?:Slides?|幻灯片) ([\d-]+)", text, flags=re.MULTILINE) for text in (english, chinese)]
    assert slides[0] == slides[1]
    code = [re.findall(r"^```python\n(.*?)^```$", text, flags=re.DOTALL | re.MULTILINE) for text in (english, chinese)]
    assert code[0] == code[1]
    assert len(re.findall(r"^\|", english, flags=re.MULTILINE)) == len(re.findall(r"^\|", chinese, flags=re.MULTILINE))


def test_the_sections_are_the_decks_parts_in_its_order():
    slides = re.findall(r"^## Slides? ([\d-]+)", NOTES["en"].read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert slides == ["4-5", "6", "7", "8-9", "10", "11", "13-16", "17-18", "19-20", "22-25", "26", "27-29"]


def test_both_languages_have_the_same_formulas_and_name_the_same_symbols():
    english, chinese = (formulas(NOTES[language].read_text(encoding="utf-8")) for language in ("en", "zh"))
    assert [formula for formula, _ in english] == [formula for formula, _ in chinese]
    assert len(english) > 10
    for (formula, in_english), (_, in_chinese) in zip(english, chinese, strict=True):
        assert in_english.startswith(SYMBOLS["en"]), formula
        assert in_chinese.startswith(SYMBOLS["zh"]), formula
        named = [set(re.findall(r"\$(.+?)\$", text)) for text in (in_english, in_chinese)]
        assert named[0] == named[1], formula


@pytest.mark.parametrize("language", NOTES)
def test_the_thirteen_mistakes_are_told_each_with_a_test_that_there_is(language):
    tests = ast.parse((build.REPOSITORY / "tests" / "test_slide_errata.py").read_text(encoding="utf-8")).body
    there_are = {test.name for test in tests if isinstance(test, ast.FunctionDef)}
    points = re.findall(
        r"^(\d+)\. \*\*.*?`(test_\w+)`", NOTES[language].read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE
    )
    assert [int(point) for point, _ in points] == list(range(1, 14))
    assert {test for _, test in points} <= there_are


def test_every_picture_is_shown_somewhere_and_wide_enough_to_read():
    shown = {
        (path.parent / link).resolve()
        for path in build.TEXTS.values()
        for link in links(path.read_text(encoding="utf-8"))
    }
    for picture in build.FIGURES.rglob("*.png"):
        assert picture in shown, picture
        width, _ = struct.unpack(">II", picture.read_bytes()[16:24])  # where PNG has them
        assert width >= 500, picture
