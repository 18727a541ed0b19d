"""The deck for the lecturer: lectures/slides.html and slides.zh.html.

For each group of the lecture's slides it has the slide's own code or formula beside our code, with what differs marked,
and then a picture with one question. deck.toml says what; slides.toml has what is on the slide; titles, the pictures'
descriptions and the mistakes come from the notes.
"""

import difflib
import functools
import html
import re

from lectures.source import excerpts, page, slides

PICTURE = re.compile(r"^!\[[^\]]*\]\([^)]+\)$", re.MULTILINE)
MISTAKE = re.compile(r"^\d+\. \*\*(.+?)\*\*", re.DOTALL | re.MULTILINE)
STEPS = re.compile(
    r"^\*\*(?:The algorithm of slide|幻灯片 \d+ 的算法).*?\*\*\n\n(.*?)(?=\n\n)", re.DOTALL | re.MULTILINE
)
BETWEEN = "\n\n<!-- next -->\n\n"
DOCSTRING = re.compile(r'^ +""".*?"""\n', re.DOTALL | re.MULTILINE)
FEWEST, MOST = 52, 76  # letters in a row of code
ROOM, WIDTH = 38, 45.5  # height and width of a column of code, in hundredths of the slide's width
LETTER, LINE = 0.605, 1.4  # width of a letter and height of a row, by the letters' size
ALIKE = 0.5  # two statements that are less so are no pair
TOKEN = re.compile(r"#.*|\s+|\w+|[^\w\s]")


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


def without_docstrings(code: str) -> str:
    """Code as it is projected: docstrings and second empty lines would take its room."""
    return DOCSTRING.sub("", code).replace("\n\n\n", "\n\n")


def without_scopes(code: str) -> str:
    """Code without the lines that name parts of the graph for TensorBoard; what they hold moves to the left."""
    lines, scope = [], None
    for line in code.splitlines():
        indent = len(line) - len(line.lstrip())
        if scope is not None and line and indent <= scope:
            scope = None
        if line.lstrip().startswith("with tf.name_scope("):
            scope = indent
        elif line or scope is None:
            lines.append(line if scope is None else line[4:])
    return "\n".join(lines)


def our_code(shown: dict) -> str:
    """What a page of code has of ours."""
    parts = [excerpts.functions(*shown["ours"])] if "ours" in shown else []
    parts += [excerpts.between(*shown["our_lines"])] if "our_lines" in shown else []
    return without_scopes(without_docstrings("\n\n".join(parts)))


def tokens(code: str) -> list[str]:
    """Code as words, signs, spaces and comments."""
    return TOKEN.findall(code)


def statements(code: str) -> list[dict[int, str]]:
    """The statements of code, each its tokens by number, without spaces and comments, and with one kind of quotes."""
    found, depth = [{}], 0
    for i, token in enumerate(tokens(code)):
        depth += (token in "([{") - (token in ")]}")
        if token.isspace():
            if "\n" in token and depth == 0:
                found.append({})
        elif not token.startswith("#"):
            found[-1][i] = token.replace("'", '"')
    return [statement for statement in found if statement]


def differing(code: str, other: str) -> set[int]:
    """Which of the code's tokens the other code lacks.

    Statements are paired, in order, so that the pairs are as alike as can be; what is in no pair differs as a whole.
    """
    ours, theirs = statements(code), [list(statement.values()) for statement in statements(other)]

    def matcher(i: int, j: int) -> difflib.SequenceMatcher:
        return difflib.SequenceMatcher(None, list(ours[i].values()), theirs[j], autojunk=False)

    @functools.cache
    def best(i: int, j: int) -> tuple[float, tuple]:
        """The highest sum of likenesses from statement i and the other's j on, and the pairs that have it."""
        if i == len(ours) or j == len(theirs):
            return 0.0, ()
        ways = [best(i + 1, j), best(i, j + 1)]
        if (likeness := matcher(i, j).ratio()) > ALIKE:
            rest, pairs = best(i + 1, j + 1)
            ways.append((likeness + rest, ((i, j), *pairs)))
        return max(ways, key=lambda way: way[0])

    same = set()
    for i, j in best(0, 0)[1]:
        numbers = list(ours[i])
        for block in matcher(i, j).get_matching_blocks():
            same |= set(numbers[block.a : block.a + block.size])
    return {number for statement in ours for number in statement} - same


def to_html(code: str, marked: set[int]) -> str:
    """Code as HTML, a span a line, with comments set off and some tokens marked."""
    pieces = []
    for i, token in enumerate(tokens(code)):
        piece = html.escape(token, quote=False)
        if token.startswith("#"):
            piece = f'<span class="co">{piece}</span>'
        pieces.append(f"<mark>{piece}</mark>" if i in marked else piece)
    joined = re.sub(r"</mark>( ?)<mark>", r"\1", "".join(pieces))

    def line(text: str) -> str:
        """A line; what is too long goes on below, four characters further in."""
        return f'<span style="--in: {len(text) - len(text.lstrip()) + 4}ch">{text}</span>'

    lines = "\n".join(map(line, joined.split("\n")))
    return f"<pre><code>{lines}</code></pre>"


def size(rooms: dict[str, float]) -> float:
    """The largest letters, in hundredths of the slide's width, at which each code fits its room's height.

    Long lines go on below, so that larger letters take more rows.
    """
    for columns in range(FEWEST, MOST):
        letters = WIDTH / columns / LETTER
        if all(rows(code, columns) * LINE * letters <= room for code, room in rooms.items()):
            break
    return round(letters, 3)


def rows(code: str, columns: int) -> int:
    """How many rows code takes in a column of so many letters."""
    taken = 0
    for line in code.splitlines():
        inner = columns - (len(line) - len(line.lstrip()) + 4)  # of the rows below, which are further in
        taken += 1 + max(0, -(-(len(line) - columns) // max(inner, 10)))
    return taken


def code_page(shown: dict, listed: int) -> dict:
    """A page of code: what is on the slide, over so many mistakes, what is ours, and the size of the letters."""
    ours = our_code(shown)
    if "formula" in slides.SLIDES[shown["printed"][0]]:
        formula = page.finish_formulas(page.to_html(f"$$\n{slides.formula(shown['printed'][0])}\n$$"))
        return {"printed": formula, "ours": to_html(ours, set()), "size": size({ours: ROOM}), "marked": False}
    printed = slides.code(*shown["printed"])
    return {
        "printed": to_html(printed, differing(printed, ours)),
        "ours": to_html(ours, differing(ours, printed)),
        "size": size({printed: ROOM - 2.3 * listed, ours: ROOM}),
        "marked": True,
    }


def make_slides(language: str, notes: dict[str, str]) -> list[dict]:
    """What templates/slides.html shows of each group, as HTML but for names, numbers and the question."""
    lecture = notes["lecture10_vae"]
    by_number = sections(lecture)
    steps = [(STEPS.findall(by_number[g["slides"]]) or ["-"])[0] for g in page.DECK]
    pictures = [
        next(p for p in PICTURE.findall("\n".join(notes.values())) if f"/{g['picture']})" in p) for g in page.DECK
    ]
    wrong = [mistakes(notes["questions"], group["slides"]) for group in page.DECK]
    listed = ["\n".join(f"- {title}" for title in titles) or "-" for titles in wrong]
    pieces = page.finish_formulas(page.to_html(BETWEEN.join(pictures + listed + steps))).split("<!-- next -->")
    names = {heading.number: heading for heading in page.headings(page.to_html(lecture)) if heading.number}
    return [
        {
            "slides": group["slides"],
            "title": names[group["slides"]].short,
            "section": names[group["slides"]].name,  # in the notes' page
            "pages": [code_page(shown, len(wrong[i])) for shown in group.get("code", [])],
            "picture": pieces[i],
            "mistakes": re.findall(r"<li>(.+?)</li>", pieces[len(pictures) + i], flags=re.DOTALL),
            "steps": pieces[2 * len(pictures) + i] if steps[i] != "-" else "",  # of slides 7 and 9
            "question": group["question"][language],
            "companions": page.companions(group, language),
        }
        for i, group in enumerate(page.DECK)
    ]


def render(notes: dict[str, dict[str, str]]) -> dict[str, str]:
    """The deck of each language by file, from the notes' Markdown by language and name."""
    files = {}
    for language, texts in notes.items():
        shown = {"slides": make_slides(language, texts), "notes": page.PAGES[language]["lecture10_vae"]}
        files[page.SLIDES[language]] = page.render_template("slides.html", language, page.SLIDES, **shown)
    return files
