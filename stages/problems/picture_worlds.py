"""Picture families, the three kinds of §2.3.5: a chart to read, a synthetic scene, text rendered as an image."""

import functools
import math
import random
from collections.abc import Sequence
from dataclasses import replace

from PIL import Image, ImageDraw, ImageFont

from stages.problems.search import Puzzle, Trial
from stages.problems.text_worlds import arithmetic

CELL = 16  # pixels; one merged patch of the tiny model
COLORS = {"red": (214, 39, 40), "green": (44, 160, 44), "blue": (31, 119, 180), "yellow": (255, 190, 11)}
SHAPES = ("circle", "square", "triangle")
COLUMNS, ROWS = 5, 2


def chart(rng: random.Random) -> tuple[Puzzle, Image.Image]:
    """A bar chart with a data row; the first bar whose height times m ends in c."""
    bars = rng.randrange(6, 11)
    answer, factor = rng.randrange(bars), rng.choice((3, 7, 9))
    heights = [rng.randrange(1, 10) for _ in range(bars)]
    height = heights[answer]
    heights[:answer] = [h if h != height else h % 9 + 1 for h in heights[:answer]]
    wanted = height * factor % 10
    trials = tuple(
        Trial(f"{h}*{factor}={h * factor % 10}?{wanted}", f"{h}*{factor}={h * factor % 10}") for h in heights[: answer + 1]
    )
    question = f"The chart has {bars} bars, numbered from 0. Which is the first bar whose height times {factor} ends in {wanted}?"
    key = f"chart {factor} {wanted} " + "".join(map(str, heights))
    shown = ";".join(f"{place}:{h}" for place, h in enumerate(heights))
    return Puzzle(question, trials, bars, key, shown), draw_chart(heights)


def scene(rng: random.Random) -> tuple[Puzzle, Image.Image]:
    """Numbered things on a grid; the first one of a given colour and shape."""
    cells = COLUMNS * ROWS
    answer = rng.randrange(cells)
    things = [(rng.choice(list(COLORS)), rng.choice(SHAPES)) for _ in range(cells)]
    wanted = things[answer]
    for place in range(answer):
        while things[place] == wanted:
            things[place] = (rng.choice(list(COLORS)), rng.choice(SHAPES))
    trials = tuple(_look(thing, wanted) for thing in things[: answer + 1])
    question = f"The picture shows things with numbers. What is the number of the first {wanted[0]} {wanted[1]}?"
    key = f"scene {' '.join(wanted)} " + "".join(color[0] + shape[0] for color, shape in things)
    shown = ";".join(f"{place}:{color} {shape}" for place, (color, shape) in enumerate(things))
    return Puzzle(question, trials, cells, key, shown), draw_scene(things)


def _look(thing: tuple[str, str], wanted: tuple[str, str]) -> Trial:
    """The colour first; the shape only when the colour is right."""
    color, shape = thing
    if color != wanted[0]:
        return Trial(f"{color}?{wanted[0]}", color)
    return Trial(f"{color}?{wanted[0]},{shape}?{wanted[1]}", f"{color},{shape}")


def rendered(rng: random.Random) -> tuple[Puzzle, Image.Image]:
    """A text problem as a picture: the question says only where to look, the answer is the same in both forms."""
    puzzle = arithmetic(rng)
    return replace(puzzle, question="Solve the problem in the picture.", picture=puzzle.question), draw_text(puzzle.question)


def draw_chart(heights: Sequence[int], numbers: Sequence[int] | None = None) -> Image.Image:
    """Bars of 10 pixels in columns of 16, 3 pixels a unit; under each bar its number (black; 0, 1, ... without `numbers`) and its
    height (blue)."""
    image = Image.new("RGB", (CELL * len(heights), 3 * CELL), "white")
    draw = ImageDraw.Draw(image)
    for place, height in enumerate(heights):
        left = CELL * place
        draw.rectangle((left + 3, 2 * CELL - 3 * height, left + 12, 2 * CELL - 1), fill=COLORS["blue"])
        image.paste(_glyph(str(numbers[place] if numbers else place)), (left, 2 * CELL))
        image.paste(_glyph(str(height), COLORS["blue"]), (left + 8, 2 * CELL))
    return image


def draw_scene(things: Sequence[tuple[str, str]], numbers: Sequence[int] | None = None) -> Image.Image:
    """Cells of 16 x 16 pixels, five to a row: the number (0, 1, ... without `numbers`) on the left, the thing on the right."""
    rows = math.ceil(len(things) / COLUMNS)
    image = Image.new("RGB", (CELL * min(COLUMNS, len(things)), CELL * rows), "white")
    draw = ImageDraw.Draw(image)
    for place, (color, shape) in enumerate(things):
        left, top = CELL * (place % COLUMNS), CELL * (place // COLUMNS)
        image.paste(_glyph(str(numbers[place] if numbers else place)), (left, top))
        box = (left + 8, top + 4, left + 15, top + 11)
        if shape == "circle":
            draw.ellipse(box, fill=COLORS[color])
        elif shape == "square":
            draw.rectangle(box, fill=COLORS[color])
        else:
            draw.polygon([(box[0], box[3]), (box[2], box[3]), ((box[0] + box[2]) // 2, box[1])], fill=COLORS[color])
    return image


def draw_text(text: str, columns: int = 20) -> Image.Image:
    """Text in cells of 8 x 16 pixels, `columns` to a line; any text problem can be drawn so."""
    lines = [text[start : start + columns] for start in range(0, len(text), columns)]
    image = Image.new("RGB", (8 * columns, CELL * len(lines)), "white")
    for row, line in enumerate(lines):
        for column, character in enumerate(line):
            image.paste(_glyph(character), (8 * column, CELL * row))
    return image


@functools.lru_cache(maxsize=1024)
def _glyph(character: str, color: tuple[int, int, int] = (0, 0, 0)) -> Image.Image:
    """One character on a white cell of 8 x 16 pixels."""
    cell = Image.new("RGB", (8, CELL), "white")
    ImageDraw.Draw(cell).text((4, 8), character, fill=color, font=_font(), anchor="mm")
    return cell


@functools.lru_cache(maxsize=1)
def _font() -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size=12)
