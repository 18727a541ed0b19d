"""The notes and the READMEs: text, code, figures, links and numbers agree, in both languages."""

import ast
import json
import re
import struct

import pytest

from lectures import make

RESULTS = json.loads((make.HERE / "results.json").read_text(encoding="utf-8"))
NOTES = {"en": make.TEXTS["lecture10_vae.md"], "zh": make.TEXTS["lecture10_vae.zh.md"]}
READMES = {"en": make.TEXTS["README.md"], "zh": make.TEXTS["README.zh.md"]}
SYMBOLS = {"en": "*Symbols:*", "zh": "*符号：*"}  # noqa: RUF001


def links(text):
    """What a Markdown text links to, pictures included, outside of its code."""
    text = re.sub(r"^```.*?^```$", "", text, flags=re.DOTALL | re.MULTILINE)
    return re.findall(r"\]\(([^)\s]+)\)", text)


def pictures(text):
    return re.findall(r"!\[[^\]]*\]\(([^)]+)\)", text)


def formulas(text):
    """Displayed formulas, each with the paragraph after it."""
    return re.findall(r"^```math\n(.*?)^```\n\n(.*?)(?=\n\n|\Z)", text, flags=re.DOTALL | re.MULTILINE)


def anchors(text):
    """GitHub's names for the headings of a text."""
    text = re.sub(r"^```.*?^```$", "", text, flags=re.DOTALL | re.MULTILINE)
    headings = re.findall(r"^#+ (.*)$", text, flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("name", make.TEXTS)
def test_text_is_what_the_template_the_scripts_and_the_results_give(name):
    """Fails when a script or a result has changed since `make lectures`."""
    assert make.TEXTS[name].read_text(encoding="utf-8") == make.render(name, RESULTS)


def test_results_say_when_with_which_seed_and_versions_they_were_measured():
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", RESULTS["date"])
    assert RESULTS["seed"] == 0
    assert {"tensorflow", "tensorflow-probability", "numpy"} <= set(RESULTS["versions"])
    assert set(make.RUNS) <= set(RESULTS)


def test_scripts_docstrings_cite_the_results():
    vae, inference = RESULTS["vae"], RESULTS["variational_inference"]
    regression, learned, classification = (
        RESULTS[name] for name in ("regression", "regression_stddev", "classification")
    )
    diagonal, full, bayesian = (RESULTS[name] for name in ("lower_bound", "lower_bound_full", "bayesian_network"))
    cited = {
        "vae": [f"reaches {vae['test_elbo_nats']:.1f} after", f"ln P(x) {vae['test_log_likelihood_nats']:.1f}"],
        "variational_inference": [
            f"Of the {inference['inference_gap_nats']:.1f} nats",
            f"the encoder loses {inference['amortization_gap_nats']:.1f}",
            f"the Gaussian {inference['approximation_gap_nats']:.1f}",
        ],
        "regression": [
            f"{100 * regression['test_accuracy']:.1f} %",
            f"{regression['test_log_prob_nats']:.1f} to {learned['test_log_prob_nats']:.1f} nats",
        ],
        "classification": [
            f"{100 * classification['test_accuracy']:.1f} %",
            f"on {100 * regression['test_accuracy']:.1f} after",
        ],
        "lower_bound": [
            f"{diagonal['log_evidence_nats'] - diagonal['best_bound_nats']:.2f} nats below",
            f"covariance, {full['log_evidence_nats'] - full['best_bound_nats']:.2f}",
        ],
        "bayesian_network": [
            f"{100 * bayesian['test_accuracy']:.1f} %",
            f"of about {bayesian['test_calibration_error']:.3f}",
            f"bound of about {bayesian['test_elbo_nats']:.3f}",
            f"{100 * bayesian['point_estimate_test_accuracy']:.1f} %",
        ],
    }
    for script, numbers in cited.items():
        text = ast.get_docstring(ast.parse((make.REPOSITORY / "lecture10_vae" / f"{script}.py").read_text()))
        for number in numbers:
            assert number in " ".join(text.split()), script


@pytest.mark.parametrize("path", make.TEXTS.values(), ids=make.TEXTS)
def test_every_link_and_picture_leads_somewhere(path):
    found = links(path.read_text(encoding="utf-8"))
    assert len(found) > 20
    for link in found:
        file, _, anchor = link.partition("#")
        target = (path.parent / file).resolve() if file else path
        assert target.exists(), link
        assert target.is_relative_to(make.REPOSITORY)
        if anchor:
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
        named = [set(re.findall(r"\$`(.*?)`\$", text)) for text in (in_english, in_chinese)]
        assert named[0] == named[1], formula


@pytest.mark.parametrize("language", NOTES)
def test_the_thirteen_mistakes_are_told_each_with_a_test_that_there_is(language):
    tests = ast.parse((make.REPOSITORY / "tests" / "test_slide_errata.py").read_text(encoding="utf-8")).body
    there_are = {test.name for test in tests if isinstance(test, ast.FunctionDef)}
    points = re.findall(
        r"^(\d+)\. \*\*.*?`(test_\w+)`", NOTES[language].read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE
    )
    assert [int(point) for point, _ in points] == list(range(1, 14))
    assert {test for _, test in points} <= there_are


def test_every_figure_is_shown_somewhere_and_wide_enough_to_read():
    shown = {
        (path.parent / link).resolve()
        for path in make.TEXTS.values()
        for link in links(path.read_text(encoding="utf-8"))
    }
    for figure in (make.HERE / "figures").rglob("*.png"):
        assert figure in shown, figure
        width, _ = struct.unpack(">II", figure.read_bytes()[16:24])  # where PNG has them
        assert width >= 500, figure


def test_html_has_maths_code_and_the_pictures_in_it(tmp_path, monkeypatch):
    monkeypatch.setattr(make, "HTML", tmp_path)
    make.to_html(NOTES["zh"])
    page = (tmp_path / "lecture10_vae.zh.html").read_text(encoding="utf-8")
    text = NOTES["zh"].read_text(encoding="utf-8")
    assert page.count("<math ") >= len(formulas(text)) + len(re.findall(r"\$`", text)) - 5
    assert page.count("data:image/png;base64") == len(pictures(text))
    assert "$`" not in page
    assert 'lang="zh-Hans"' in page
