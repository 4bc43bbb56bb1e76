"""A text problem as a picture: the same answer, ids that tell the pair, whatever the text holds; never beyond the budget."""

import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made import made
from PIL import Image

from stages.curation.evaluability import kind_of_exclusion
from stages.data.records import Problem
from stages.problems.rendering import FONTS, Look, _font, blocks_of, broken_line, drawn, rendered_twins, set_text

TABLE = "Read it.\nday | pens\n---|---\nMonday | 7\nTuesday | 12\nHow many pens?"
CODE = "What does it print?\n```python\nfor n in range(3):\n    print(n)\n```\nSay it."


def problem(number: int, **changed: Any) -> Problem:
    return made(number, **{"solution_short": None, **changed})


def test_twins_have_the_answer_and_tell_their_pair(tmp_path: Path) -> None:
    problems = [problem(number) for number in range(100)]
    shares = {row.id: 0.5 for row in problems[:80]}
    twins, lost = rendered_twins(problems, shares, tmp_path, 200_000, seed=1)
    assert lost == []
    assert 25 < len(twins) < 55
    originals = {row.id: row for row in problems[:80]}
    for twin in twins:
        original = originals[twin.id.removesuffix("-rendered")]
        assert (twin.answer, twin.split, twin.verifier) == (original.answer, original.split, original.verifier)
        assert (twin.modality, twin.wording, twin.is_in_words) == ("image", original.question, True)
        with Image.open(str(twin.image)) as picture:
            assert picture.mode == "RGB"
            assert picture.width * picture.height <= 200_000
            assert len(picture.getcolors(200_000) or []) > 1, "something is drawn"
    again, _ = rendered_twins(problems[::-1], shares, tmp_path, 200_000, seed=1)
    assert {row.id for row in again} == {row.id for row in twins}, "the draw follows the id, not the order"
    assert {row.id for row in rendered_twins(problems, shares, tmp_path, 200_000, seed=2)[0]} != {row.id for row in twins}


def test_only_text_is_drawn_and_what_cannot_be_is_named(tmp_path: Path) -> None:
    rows = [problem(0, question="Was ist 税?"), problem(1, question="long " * 4000), problem(2, modality="image", image="a.png")]
    twins, lost = rendered_twins(rows, dict.fromkeys(("p0", "p1", "p2"), 1.0), tmp_path, 200_000, seed=0)
    assert twins == []
    assert {finding.id: finding.rule for finding in lost} == {"p0": "not rendered", "p1": "not rendered"}
    reasons = {finding.id: finding.reason for finding in lost}
    assert reasons["p0"] == "the font has no '税'"
    assert reasons["p1"] == "the text of 20000 characters takes more than 200000 pixels"


def test_curation_reads_the_text_in_the_picture(tmp_path: Path) -> None:
    (twin,), _ = rendered_twins([problem(0, question="Prove that 7 is prime.")], {"p0": 1.0}, tmp_path, 200_000, seed=0)
    assert kind_of_exclusion(twin) == "proof"


def test_blocks() -> None:
    assert list(blocks_of(TABLE)) == [
        ("text", ["Read it."]),
        ("table", ["day | pens", "---|---", "Monday | 7", "Tuesday | 12"]),
        ("text", ["How many pens?"]),
    ]
    assert [kind for kind, _ in blocks_of(CODE)] == ["text", "code", "text"]
    assert next(lines for kind, lines in blocks_of(CODE) if kind == "code") == ["for n in range(3):", "    print(n)"]


@pytest.mark.parametrize("name", FONTS)
def test_lines_break_at_words_and_lose_none(name: str) -> None:
    text = "the quick brown fox jumps over a lazy dog " * 5
    font = _font(name, 16)
    parts = broken_line(text.strip(), font, 200)
    assert " ".join(parts) == text.strip()
    assert all(font.getlength(part) <= 200 for part in parts)
    assert all(part.startswith("    w") for part in broken_line("    " + "word " * 40, font, 200)), "each part keeps the indent"
    assert len(broken_line("x" * 300, font, 200)) == 1, "a long word stands alone"


def test_a_table_has_its_grid_and_code_its_indent() -> None:
    look = Look("DejaVuSans", 16, 400, "white")
    table, plain = drawn("a | b\nc | d", look, 10**6), drawn("a   b\nc   d", look, 10**6)
    assert table is not None
    assert plain is not None
    black = [sum(1 for value in picture.convert("L").tobytes() if value < 60) for picture in (table, plain)]
    assert black[0] > 3 * black[1], "lines around the cells"
    flat, indented = (drawn(f"```\n{indent}x\n```", look, 10**6) for indent in ("", "        "))
    assert flat is not None
    assert indented is not None
    assert indented.width > flat.width + 60


def test_smaller_type_where_the_budget_asks_for_it() -> None:
    text = "A sentence of some length that fills lines. " * 12
    large, small = (set_text(text, random.Random(3), pixels) for pixels in (10**7, 120_000))
    assert isinstance(large, Image.Image)
    assert isinstance(small, Image.Image)
    assert small.width * small.height <= 120_000 < large.width * large.height


@settings(deadline=None, max_examples=60)
@given(st.text(st.characters(codec="latin-1", exclude_categories=["Cc"]) | st.sampled_from("\n|`\t"), min_size=1, max_size=200))
def test_any_text_is_drawn_or_refused(text: str) -> None:
    found = set_text(text, random.Random(0), 300_000)
    assert isinstance(found, str) or found.width * found.height <= 300_000
