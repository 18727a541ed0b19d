"""The deck for the lecturer: lectures/slides.html and slides.zh.html, a slide for each group of the lecture's slides.

deck.toml says what a slide shows. Titles, formulas, the pictures' descriptions and the mistakes come from the notes,
code from the scripts and from as_printed.py, where the slide's own does not work.
"""

import re

from lectures.source import excerpts, page

FORMULA = re.compile(r"^\$\$\n.*?^\$\$$", re.DOTALL | re.MULTILINE)
PICTURE = re.compile(r"^!\[[^\]]*\]\([^)]+\)$", re.MULTILINE)
MISTAKE = re.compile(r"^\d+\. \*\*(.+?)\*\*", re.DOTALL | re.MULTILINE)
FENCE = re.compile(r"^```python\n(.*?)^```$", re.DOTALL | re.MULTILINE)
BETWEEN, NOTHING = "\n\n<!-- next -->\n\n", "<!-- nothing -->"
WIDEST, NARROWEST = 74, 46  # characters in a line of code: longer lines are wrapped, shorter ones don't grow further
DOCSTRING = re.compile(r'^ +""".*?"""\n', re.DOTALL | re.MULTILINE)


def sections(notes: str) -> dict[str, str]:
    """The notes' sections on slides, in Markdown, by the slides' numbers."""
    parts = re.split(r"^(?=## )", notes, flags=re.MULTILINE)
    numbers = (page.Heading(2, "", part.removeprefix("## ").partition("\n")[0]).number for part in parts)
    return {number: part for number, part in zip(numbers, parts, strict=True) if number}


def numbers_in(slides: str) -> set[int]:
    """The slides that a text names: "18, 20 and 23" and "22-25" as well."""
    numbers = set()
    for first, last in re.findall(r"(\d+)(?:-(\d+))?", slides):
        numbers |= set(range(int(first), int(last or first) + 1))
    return numbers


def mistakes(notes: str, slides: str) -> list[str]:
    """The titles of the notes' mistakes on these slides, in Markdown."""
    named = {title: re.match(r"(?:Slides?|幻灯片) ?([\d、,和 and至到-]+)", title) for title in MISTAKE.findall(notes)}
    return [title for title, name in named.items() if name and numbers_in(name[1]) & numbers_in(slides)]


def without_docstrings(markdown: str) -> str:
    """Code as it is projected: docstrings and second empty lines would take its room."""
    return DOCSTRING.sub("", markdown).replace("\n\n\n", "\n\n")


def parts(group: dict, notes: str, section: str) -> dict[str, str]:
    """What a slide shows, in Markdown."""
    printed = NOTHING  # slide 26 is a picture
    if "printed" in group:
        printed = excerpts.code("lectures/source/as_printed.py", *group["printed"])
        for argument, in_place in group.get("in_place", {}).items():
            printed = printed.replace(argument, in_place)
    elif "formula" in group:
        printed = next(formula for formula in FORMULA.findall(section) if group["formula"] in formula)
    ours = excerpts.code(*group["ours"]) if "ours" in group else excerpts.lines(*group["our_lines"])
    picture = next(picture for picture in PICTURE.findall(notes) if f"(figures/{group['picture']})" in picture)
    listed = "\n".join(f"- {title}" for title in mistakes(notes, group["slides"]))
    return {
        "printed": without_docstrings(printed),
        "ours": without_docstrings(ours),
        "picture": picture,
        "mistakes": listed or NOTHING,
    }


def extent(markdown: str, widest: int) -> tuple[int, int]:
    """How many characters the longest line of the code has, and how many lines it takes at that width."""
    lines = [line for block in FENCE.findall(markdown) for line in block.splitlines()]
    columns = min(max([NARROWEST, *map(len, lines)]), widest)
    return columns, sum(1 + max(len(line) - 1, 0) // columns for line in lines)


def signs(formula: str) -> int:
    """About how many signs the widest line of a formula has, so that it can be set as large as there is room for."""
    seen = re.sub(r"\\(text|underbrace|math\w+|begin|end|[bB]ig|left|right|thinspace)\b", "", formula)
    lines = [re.sub(r"\\[A-Za-z]+", "xx", line) for line in seen.split(r"\cr")]
    return max(len(re.sub(r"[{}_^&$\s]", "", line)) for line in lines)


def room(part: dict[str, str]) -> float:
    """The height that title, headings, formula and mistakes leave for the code, in hundredths of the slide's width."""
    formula_lines = part["printed"].count(r"\cr") + 1 if part["printed"].startswith("$$") else 0
    mistakes_lines = (part["mistakes"].count("\n- ") + 2) // 2 if NOTHING not in part["mistakes"] else 0
    return 36 - 4 * formula_lines - 2 * mistakes_lines


def make_slides(language: str, notes: str) -> list[dict]:
    """What templates/slides.html shows of each group, as HTML but for names, numbers and the question."""
    by_number = sections(notes)
    shown = [parts(group, notes, by_number[group["slides"]]) for group in page.DECK]
    html = page.finish_formulas(page.to_html(BETWEEN.join(BETWEEN.join(part.values()) for part in shown)))
    pieces = iter(html.split("<!-- next -->"))
    names = {heading.number: heading for heading in page.headings(page.to_html(notes)) if heading.number}
    slides = []
    for group, part in zip(page.DECK, shown, strict=True):
        printed, ours, picture, listed = (next(pieces) for _ in range(4))
        has_printed = NOTHING not in part["printed"]
        columns, rows = extent(part["printed"] + "\n" + part["ours"], WIDEST if has_printed else NARROWEST)
        slides.append(
            {
                "slides": group["slides"],
                "title": names[group["slides"]].short,
                "section": names[group["slides"]].name,  # in the notes' page
                "printed": printed if has_printed else "",
                "ours": ours,
                "picture": picture,
                "mistakes": re.findall(r"<li>(.*?)</li>", listed, flags=re.DOTALL),
                "question": group["question"][language],
                "companions": page.companions(group, language),
                "columns": columns,
                "rows": rows,
                "signs": signs(part["printed"]) if part["printed"].startswith("$$") else 0,
                "room": room(part),
            }
        )
    return slides


def render(language: str, notes: dict[str, str]) -> str:
    """The deck of one language, from the notes' Markdown in all of them."""
    slides = make_slides(language, notes[language])
    return page.render_template("slides.html", language, page.SLIDES, slides=slides, notes=page.PAGES[language])
