"""Picture families, the three kinds of §2.3.5: a chart to read, a synthetic scene, text rendered as an image."""

import functools
import random
from dataclasses import replace

from PIL import Image, ImageDraw, ImageFont

from stages.problems.search import Puzzle, Trial
from stages.problems.text_worlds import arithmetic

CELL = 16  # pixels; one merged patch of the tiny model
COLORS = {"red": (214, 39, 40), "green": (44, 160, 44), "blue": (31, 119, 180), "yellow": (255, 190, 11)}
SHAPES = ("circle", "square", "triangle")
COLUMNS, ROWS = 5, 2


def chart(rng: random.Random) -> tuple[Puzzle, Image.Image]:
    """A bar chart; the first bar (counted from 0) whose height plus b ends in c."""
    bars = rng.randrange(6, 11)
    answer, addend = rng.randrange(bars), rng.randrange(1, 10)
    heights = [rng.randrange(1, 10) for _ in range(bars)]
    wanted = heights[answer]
    heights[:answer] = [h if h != wanted else h % 9 + 1 for h in heights[:answer]]
    trials = tuple(Trial(f"bar {h};{h}+{addend}={(h + addend) % 10}", f"{h}{(h + addend) % 10}") for h in heights[: answer + 1])
    question = (
        f"The chart has {bars} bars of height 1 to 9. Counting from 0 on the left, "
        f"which is the first bar whose height plus {addend} ends in {(wanted + addend) % 10}?"
    )
    key = f"chart {addend} {wanted} " + "".join(map(str, heights))
    return Puzzle(question, None, trials, bars, key, "bars " + ",".join(map(str, heights))), draw_chart(heights)


def scene(rng: random.Random) -> tuple[Puzzle, Image.Image]:
    """Shapes on a grid; the first cell, row by row from 0, that holds a given kind of thing."""
    cells = COLUMNS * ROWS
    answer = rng.randrange(cells)
    things = [(rng.choice(list(COLORS)), rng.choice(SHAPES)) for _ in range(cells)]
    wanted = things[answer]
    for place in range(answer):
        while things[place] == wanted:
            things[place] = (rng.choice(list(COLORS)), rng.choice(SHAPES))
    trials = tuple(
        Trial(f"{color} {shape},want {wanted[0]} {wanted[1]}", f"{color[0]}{shape[0]}") for color, shape in things[: answer + 1]
    )
    question = (
        f"The picture has {ROWS} rows of {COLUMNS} things. Counting row by row from 0, "
        f"at which place is the first {wanted[0]} {wanted[1]}?"
    )
    key = f"scene {' '.join(wanted)} " + "".join(color[0] + shape[0] for color, shape in things)
    return Puzzle(question, None, trials, cells, key, ",".join(f"{color} {shape}" for color, shape in things)), draw_scene(things)


def rendered(rng: random.Random) -> tuple[Puzzle, Image.Image]:
    """A text problem as a picture: the question says only where to look, the answer is the same in both forms."""
    puzzle = arithmetic(rng)
    return replace(puzzle, question="Solve the problem in the picture.", picture=puzzle.question), draw_text(puzzle.question)


def draw_chart(heights: list[int]) -> Image.Image:
    """Bars of width 10 in columns of 16 pixels, 5 pixels a unit, on a canvas 48 pixels high."""
    image = Image.new("RGB", (CELL * len(heights), 3 * CELL), "white")
    draw = ImageDraw.Draw(image)
    for index, height in enumerate(heights):
        left = CELL * index + 3
        draw.rectangle((left, 3 * CELL - 5 * height, left + 9, 3 * CELL - 1), fill=(31, 119, 180))
    return image


def draw_scene(things: list[tuple[str, str]]) -> Image.Image:
    """One thing of 12 pixels in each cell of 16, row by row."""
    image = Image.new("RGB", (CELL * COLUMNS, CELL * ROWS), "white")
    draw = ImageDraw.Draw(image)
    for place, (color, shape) in enumerate(things):
        left, top = CELL * (place % COLUMNS) + 2, CELL * (place // COLUMNS) + 2
        box = (left, top, left + 11, top + 11)
        if shape == "circle":
            draw.ellipse(box, fill=COLORS[color])
        elif shape == "square":
            draw.rectangle(box, fill=COLORS[color])
        else:
            draw.polygon([(left, top + 11), (left + 11, top + 11), (left + 6, top)], fill=COLORS[color])
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
def _glyph(character: str) -> Image.Image:
    """One character in black on a white cell of 8 x 16 pixels."""
    cell = Image.new("RGB", (8, CELL), "white")
    ImageDraw.Draw(cell).text((4, 8), character, fill="black", font=_font(), anchor="mm")
    return cell


@functools.lru_cache(maxsize=1)
def _font() -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size=12)
