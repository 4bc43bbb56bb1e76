"""Text from outside on terminals, pages, figures and in spreadsheets."""

import csv
import io
import warnings
from pathlib import Path
from xml.etree import ElementTree

import pytest

from stages.data.display import cell, visible
from stages.reporting.drawing import Figure, Panel, draw
from stages.reporting.inline_svg import figure_block
from stages.reporting.markup import tag
from stages.reporting.table_files import grid

ESCAPES = ["\x1b[31mred\x1b[0m", "\x1b]0;title\x07", "a\x00b", "\x9b2J", "a\u202eb", "\ud800", "a\u2028b", "\ufffe", "\x7f\x08"]
NAMES = [*ESCAPES, "$x^{$", "$$", "\\$5", "<b>&amp;</b>", "Größe 数学 עברית", "a" * 300, "%s{0}", "_x_"]
FORMULAS = {
    "=1+1": True, "=cmd|'/c calc'!A1": True, "+1+1": True, "-1+1": True, "@SUM(1)": True, "\t=1": True, "\r=1": False,
    " =1": True, "'=1": True, "-": True, "--": True, "+x": True, "＝1": True, "＋1": True, "@": True, "-5 apples": True,
    "-5": False, "+18.2": False, "-3.2%": False, "-1e-05": False, "+.5": False, "1=1": False, "a-b": False, "–": False, "": False,
    "'quoted'": False, "x": False, "− 5": False, "5": False,
}  # fmt: skip


@pytest.mark.parametrize(("text", "quoted"), FORMULAS.items())
def test_a_cell_is_no_formula_and_comes_back(text: str, quoted: bool) -> None:
    file = io.StringIO()
    csv.writer(file).writerow([cell(text)])
    (read,) = next(csv.reader(io.StringIO(file.getvalue(), newline="")), [""])
    assert (read != visible(text)) == quoted
    assert read.startswith("'") or not quoted
    assert read.removeprefix("'" if quoted else "") == visible(text)


def test_no_cell_of_a_committed_table_changes() -> None:
    files = sorted(Path("results").rglob("report/*.csv"))
    for path in files:
        with path.open(newline="", encoding="utf-8") as file:
            assert all(cell(text) == text for row in csv.reader(file) for text in row), path


@pytest.mark.parametrize("name", ESCAPES)
def test_nothing_that_is_shown_holds_control_characters(name: str) -> None:
    assert visible(visible(name)) == visible(name) != name
    for shown in (tag("p", name, title=name), grid([["a"], [name]])):
        assert visible(shown) == shown
    visible(name).encode()


@pytest.mark.parametrize("name", NAMES)
def test_any_name_can_be_drawn(name: str) -> None:
    def panel(axes: object) -> None:
        axes.barh([0, 1], [1, 2])  # type: ignore[attr-defined]
        axes.set_yticks([0, 1], [name, "b"])  # type: ignore[attr-defined]
        axes.set_xlabel(name)  # type: ignore[attr-defined]
        axes.text(0, 0, name)  # type: ignore[attr-defined]

    figure = Figure("figure", name, "", (Panel(name, name, panel),))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph|.*glyph")
        (drawn,) = draw([figure])
    assert drawn.png.startswith(b"\x89PNG")
    assert visible(drawn.svg) == drawn.svg
    shown = "".join(ElementTree.fromstring(drawn.svg).itertext())
    assert visible(name) in shown
    figure_block(drawn)
