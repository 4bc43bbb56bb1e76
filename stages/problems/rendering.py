"""Text problems as pictures of their text (§2.3.5, the third kind of vision data): one problem in both forms, with one answer."""

import functools
import importlib.util
import random
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw, ImageFont

from stages.data.records import Finding, Problem
from stages.problems.published import file_name
from stages.run.seeds import stream_seed

QUESTION = "Solve the problem in the picture."
SUFFIX = "-rendered"
FONTS = ("DejaVuSans", "DejaVuSerif", "DejaVuSansMono")
CODE_FONT = "DejaVuSansMono"
SIZES = (12, 14, 16, 18, 20, 24)
WIDTHS = (320, 400, 480, 640)
PAPERS = ("white", "#fffdf5", "#f4f7fb")
MARGIN, LEADING, CELL_PAD, CODE_WIDTH = 12, 1.35, 8, 1.5
"""Pixels around the text, line height over font size, pixels beside a table's cells, lines of code over those of text; ours as all
of the above."""
_CODE = re.compile(r"^(?: {4}|>>> |(?:def|class|for|while|if|elif)\b.*:\s*$|(?:import|from \S+ import|assert)\b)")
_RULE = re.compile(r"\|?\s*:?-{2,}[-|:\s]*")


@dataclass(frozen=True)
class Look:
    """How a text is set."""

    font: str
    size: int
    width: int
    """Pixels of a line; code and tables may be wider."""
    paper: str


def rendered_twins(
    problems: Sequence[Problem], shares: Mapping[str, float], images: Path, max_pixels: int, seed: int
) -> tuple[list[Problem], list[Finding]]:
    """For the share of the text problems that `shares` (id -> share of its source) asks for, drawn by seed and id, the same problem
    as a picture, with the id of the text and SUFFIX; and a finding for each that could not be drawn."""
    twins: list[Problem] = []
    lost: list[Finding] = []
    for problem in problems:
        rng = random.Random(stream_seed(seed, "rendering", problem.id))
        if problem.modality != "text" or rng.random() >= shares.get(problem.id, 0.0):
            continue
        picture = set_text(problem.question, rng, max_pixels)
        if isinstance(picture, str):
            lost.append(Finding(id=problem.id, where=problem.source, rule="not rendered", reason=picture))
            continue
        path = images / f"{file_name(problem.id + SUFFIX)}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        picture.save(path)
        twins.append(twin(problem, path))
    return twins, lost


def twin(problem: Problem, picture: Path) -> Problem:
    """The problem whose question stands in `picture`; the text goes on in parameters["rendered"], for decontamination."""
    changed = {
        "id": problem.id + SUFFIX,
        "modality": "image",
        "question": QUESTION,
        "image": str(picture),
        "parameters": {**problem.parameters, "rendered": problem.question},
    }
    return problem.model_copy(update=changed)


def set_text(text: str, rng: random.Random, max_pixels: int) -> Image.Image | str:
    """A picture of the text in a look drawn from `rng`, in smaller type where it would have more than `max_pixels`; or why there
    is none: a character that the fonts lack, too many pixels in the smallest type."""
    look = Look(rng.choice(FONTS), rng.choice(SIZES), rng.choice(WIDTHS), rng.choice(PAPERS))
    lacking = sorted({character for character in text if not character.isspace()} - covered(look.font))
    if lacking:
        return f"the font has no {', '.join(map(repr, lacking[:5]))}"
    for size in [look.size, *(size for size in reversed(SIZES) if size < look.size)]:
        picture = drawn(text, Look(look.font, size, look.width, look.paper), max_pixels)
        if picture is not None:
            return picture
    return f"the text of {len(text)} characters takes more than {max_pixels} pixels"


def drawn(text: str, look: Look, max_pixels: int) -> Image.Image | None:
    """The text block by block: paragraphs with lines broken at words, code in its own font, tables in a grid. None when the picture
    would have more than `max_pixels`."""
    blocks = [_block(kind, lines, look) for kind, lines in blocks_of(text)]
    width = max(block.width for block in blocks) + 2 * MARGIN
    height = sum(block.height for block in blocks) + 2 * MARGIN
    if width * height > max_pixels:
        return None
    page = Image.new("RGB", (width, height), look.paper)
    top = MARGIN
    for block in blocks:
        page.paste(block, (MARGIN, top))
        top += block.height
    return page


def blocks_of(text: str) -> Iterator[tuple[str, list[str]]]:
    """("text", "code" or "table", lines): runs of lines of one kind. Tables have cells between "|", code is fenced or looks so."""
    kind, lines, fenced = "", list[str](), False
    for line in text.expandtabs(4).split("\n"):
        if line.strip().startswith("```"):
            fenced = not fenced
            continue
        now = "code" if fenced or _CODE.match(line) else "table" if line.count("|") and line.strip("| ") else "text"
        if now != kind and lines:
            yield kind, lines
            lines = []
        kind = now
        lines.append(line)
    if lines:
        yield kind, lines


@functools.cache
def covered(font: str) -> frozenset[str]:
    """The characters that a font and the font of code both have (fontTools reads their tables)."""
    from fontTools.ttLib import TTFont

    found = []
    for name in (font, CODE_FONT):
        with TTFont(_path(name)) as table:
            found.append(frozenset(map(chr, table.getBestCmap())))
    return found[0] & found[1]


def _block(kind: str, lines: list[str], look: Look) -> Image.Image:
    if kind == "table":
        rows = [line.strip().strip("|").split("|") for line in lines if not _RULE.fullmatch(line)]
        return _table([[cell.strip() for cell in row] for row in rows], look)
    font = _font(CODE_FONT if kind == "code" else look.font, look.size)
    width = look.width if kind == "text" else CODE_WIDTH * look.width
    return _lines([part for line in lines for part in broken_line(line, font, width)], font, look)


def broken_line(line: str, font: Any, width: float) -> list[str]:
    """The line in parts of at most `width` pixels, broken at spaces, each with the line's indent; a word that is wider stands
    alone."""
    indent = line[: len(line) - len(line.lstrip(" "))]
    parts, part = list[str](), ""
    for word in line.strip(" ").split(" "):
        longer = f"{part} {word}" if part else indent + word
        if part and font.getlength(longer) > width:
            parts.append(part)
            longer = indent + word
        part = longer
    return [*parts, part]


def _lines(lines: Sequence[str], font: Any, look: Look) -> Image.Image:
    step = round(LEADING * look.size)
    width = max(1, *(round(font.getlength(line)) + 1 for line in lines))
    block = Image.new("RGB", (width, step * len(lines)), look.paper)
    draw = ImageDraw.Draw(block)
    for number, line in enumerate(lines):
        draw.text((0, step * number), line, fill="black", font=font)
    return block


def _table(rows: list[list[str]], look: Look) -> Image.Image:
    """A grid of cells, each as wide as its column's widest."""
    font, step = _font(look.font, look.size), round(1.7 * look.size)
    columns = max(map(len, rows))
    cells = [[*row, *[""] * (columns - len(row))] for row in rows]
    widths = [round(max(font.getlength(row[column]) for row in cells)) + 2 * CELL_PAD for column in range(columns)]
    block = Image.new("RGB", (sum(widths) + 1, step * len(cells) + 1 + look.size // 2), look.paper)
    draw = ImageDraw.Draw(block)
    for number, row in enumerate(cells):
        left = 0
        for width, cell in zip(widths, row, strict=True):
            draw.rectangle((left, step * number, left + width, step * (number + 1)), outline="black")
            draw.text((left + CELL_PAD, step * number + step // 2), cell, fill="black", font=font, anchor="lm")
            left += width
    return block


@functools.lru_cache(maxsize=64)
def _font(name: str, size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(str(_path(name)), size)


def _path(name: str) -> Path:
    """The DejaVu fonts lie in matplotlib's package, which is not imported for them."""
    found = importlib.util.find_spec("matplotlib")
    places = list(found.submodule_search_locations or []) if found else []
    return Path(*places[:1], "mpl-data/fonts/ttf", f"{name}.ttf")
