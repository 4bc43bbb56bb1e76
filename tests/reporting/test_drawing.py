"""Figures: the same bytes every time, every panel inside its cell, no text over text."""

import itertools
import re
from dataclasses import replace
from pathlib import Path

import pytest
from synthetic_run import ACCURACY, CURATION, MIX, WARM_UP, evaluation, funnel, rl_rows, write_csv

from stages.reporting.curves import read_curve, validation_suites
from stages.reporting.drawing import Drawn, Figure, cell_box, compose, draw
from stages.reporting.evaluations import Evaluation
from stages.reporting.health_figures import domains, health, sampled, staleness
from stages.reporting.inline_svg import key, panels
from stages.reporting.inputs import Funnel
from stages.reporting.long2short_figure import figure7, figure7_suites
from stages.reporting.mix_figure import mix_figure
from stages.reporting.rl_figures import figure5, figure6, slope_text, suite_line
from stages.reporting.training_figures import funnel_figure, losses

FAMILIES = ("arithmetic", "word_problem", "a_rather_long_family_name")


def figures(folder: Path) -> dict[str, Figure]:
    write_csv(folder / "rl.csv", "iteration", rl_rows(157, 4, 9600, 3, FAMILIES))
    write_csv(folder / "sft.csv", "step", [{"step": step, "loss": 1234.5 / (step + 1)} for step in range(1200)])
    rl, sft = read_curve(folder / "rl.csv", "iteration"), read_curve(folder / "sft.csv", "step")
    suites = validation_suites(rl)
    funnels = {"curation": Funnel.model_validate(funnel(CURATION)), "warm-up": Funnel.model_validate(funnel(WARM_UP))}
    made = [
        figure5(suites),
        figure6(suites),
        figure7({name: Evaluation.model_validate(evaluation(name)) for name in ACCURACY}),
        figure7_suites({name: Evaluation.model_validate(evaluation(name)) for name in ACCURACY}),
        *(figure({"long RL": rl, "short RL": rl}) for figure in (health, sampled, staleness)),
        domains("long RL", rl),
        losses({"base": sft, "long RL": rl}),
        funnel_figure(funnels),
        mix_figure(Funnel.model_validate({**funnel(CURATION), "mix": MIX}).mix),
    ]
    return {figure.name: figure for figure in made}


NAMES = ("figure5", "figure6", "figure7", "figure7_suites", "health", "sampled", "staleness", "domains", "losses", "funnel", "mix")


def test_a_funnel_without_rules_has_no_panel() -> None:
    found = funnel_figure({"collection": Funnel(steps=[]), "curation": Funnel.model_validate(funnel(CURATION))})
    assert [panel.name for panel in found.panels] == ["curation"]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Figure]:
    return figures(tmp_path_factory.mktemp("figures"))


@pytest.fixture(scope="module")
def figure5_drawn(made: dict[str, Figure]) -> Drawn:
    return draw([made["figure5"]])[0]


@pytest.mark.parametrize("name", NAMES)
def test_no_text_leaves_its_cell_or_covers_other_text(made: dict[str, Figure], name: str) -> None:
    from matplotlib.text import Text

    figure = made[name]
    canvas = compose(figure)
    canvas.draw_without_rendering()
    height = canvas.bbox.height * 72 / canvas.dpi
    for place, panel in enumerate(figure.panels):
        x, y, width, high = cell_box(figure, place)
        boxes = []
        for axes in canvas.axes:
            if not (axes.get_gid() or "").startswith(f"panel{place}-"):
                continue
            for text in axes.findobj(Text):
                if isinstance(text, Text) and text.get_visible() and text.get_text().strip() and _shown(text, axes):
                    box = text.get_window_extent()
                    boxes.append((text.get_text(), *(value * 72 / canvas.dpi for value in box.extents)))
        for words, left, low, right, top in boxes:
            assert x <= left < right <= x + width, f"{panel.name}: {words!r} leaves its cell sideways"
            assert height - y - high <= low < top <= height - y, f"{panel.name}: {words!r} leaves its cell up or down"
        for (a, l1, b1, r1, t1), (b, l2, b2, r2, t2) in itertools.combinations(boxes, 2):
            apart = r1 <= l2 or r2 <= l1 or t1 <= b2 or t2 <= b1
            assert apart, f"{panel.name}: {a!r} covers {b!r}"


def _shown(text, axes) -> bool:  # type: ignore[no-untyped-def]
    """Whether matplotlib draws it: tick labels outside the view are kept but not drawn."""
    for axis in (axes.xaxis, axes.yaxis):
        low, high = sorted(axis.get_view_interval())
        for tick in [*axis.get_major_ticks(), *axis.get_minor_ticks()]:
            if text in (tick.label1, tick.label2):
                return low <= tick.get_loc() <= high
    return True


def test_equal_data_give_equal_bytes(made: dict[str, Figure], figure5_drawn: Drawn) -> None:
    again = draw([made["figure5"]])[0]
    assert again.svg == figure5_drawn.svg
    assert again.png == figure5_drawn.png
    assert "dc:date" not in again.svg


def test_panels_for_the_page(figure5_drawn: Drawn) -> None:
    parts = panels(figure5_drawn)
    assert len(parts) == 1 + len(FAMILIES)
    for part, panel in zip(parts, figure5_drawn.figure.panels, strict=True):
        assert part.count("<svg ") == 1
        assert panel.alt.split(":")[0] in part
        assert "xmlns" not in part
        assert "xlink" not in part
        assert "http" not in part
        assert "var(--blue)" in part
        assert "#0072b2" not in part
    ids = re.findall(r' id="([^"]+)"', "".join(parts))
    assert all(name.startswith("figure5-") for name in ids)
    assert set(re.findall(r'(?:url\(#|href="#)([^)"]+)', "".join(parts))) <= set(ids)
    assert "95th percentile" in key(figure5_drawn)


def test_figure_5_shows_the_band_and_both_axes(made: dict[str, Figure]) -> None:
    canvas = compose(made["figure5"])
    left, right = (axes for axes in canvas.axes if (axes.get_gid() or "").startswith("panel0-"))
    assert (left.get_ylabel(), right.get_ylabel()) == ("accuracy", "tokens")
    assert len(right.collections) == 1
    tokens, accuracy = right.lines
    assert max(tokens.get_ydata()) > 9000
    assert max(accuracy.get_ydata()) <= 1


def test_figure_6_writes_the_slope_it_draws(tmp_path: Path) -> None:
    kinds = ("accuracy", "mean_tokens", "p95_tokens")
    values = [(0.1, 10, 20), (0.3, 20, 40), (0.2, 30, 60), (0.4, 40, 80)]
    rows = [
        {"iteration": place, **{f"validation_{kind}": cell for kind, cell in zip(kinds, row, strict=True)}}
        for place, row in enumerate(values)
    ]
    write_csv(tmp_path / "rl.csv", "iteration", rows)
    points = validation_suites(read_curve(tmp_path / "rl.csv", "iteration"))["total"]
    # the line of test_fits with x times 10 and y divided by 10: slope 0.008, half width 0.01825
    assert slope_text(suite_line(points)) == "slope +0.80 [-1.03, +2.63]"
    assert slope_text(suite_line(points[:1])) == "no slope: lengths do not differ"
    assert "no interval" in slope_text(suite_line(points[:2]))


def test_nothing_measured_gives_no_panels(tmp_path: Path) -> None:
    write_csv(tmp_path / "rl.csv", "iteration", [{"iteration": 0, "accuracy": 0.5}])
    curve = read_curve(tmp_path / "rl.csv", "iteration")
    assert figure5(validation_suites(curve)).panels == ()
    for figure in (health, sampled, staleness):
        assert figure({"long RL": curve}).panels == ()
    assert domains("long RL", curve).panels == ()


@pytest.mark.parametrize("name", NAMES)
def test_title_and_key_fit_the_figure(made: dict[str, Figure], name: str) -> None:
    for figure in (made[name], replace(made[name], panels=made[name].panels[:2])):
        canvas = compose(figure)
        canvas.draw_without_rendering()
        for found in [*canvas.texts, *canvas.legends]:
            assert found.get_window_extent().x1 <= canvas.bbox.x1, f"{name} with {len(figure.panels)} panels"


def test_the_layers_of_what_was_drawn(made: dict[str, Figure]) -> None:
    """Five shares that fill the axes from 0 to 1, hard problems at the bottom; ages likewise, fresh tokens at the bottom."""
    for name, layers, first in (("sampled", 5, "0.0 to 0.2"), ("staleness", 4, "0")):
        figure = made[name]
        assert [panel.name for panel in figure.panels] == ["long RL", "short RL"]
        assert len(figure.keys) == layers
        assert figure.keys[0].label == first
        (axes, *_) = compose(figure).axes
        tops = [area.get_datalim(axes.transData).y1 for area in axes.collections]
        assert len(tops) == layers
        assert tops[-1] == pytest.approx(1.0)


def test_panels_whose_columns_are_missing_are_left_out(tmp_path: Path) -> None:
    rows = [{"iteration": n, "reward": 0.5, "staleness/0": 1.0, "domain/logic/accuracy": 0.5} for n in range(3)]
    write_csv(tmp_path / "new.csv", "iteration", [{**row, "repeat": 0.0} for row in rows])
    write_csv(tmp_path / "old.csv", "iteration", [{"iteration": 0, "reward": 0.5}])
    new, old = read_curve(tmp_path / "new.csv", "iteration"), read_curve(tmp_path / "old.csv", "iteration")
    phases = {"long RL": new, "short RL": old}
    assert [panel.name for panel in health(phases).panels] == ["Mean reward", "Repeating responses"]
    assert [panel.name for panel in staleness(phases).panels] == ["long RL"]
    assert sampled(phases).panels == ()
    assert domains("long RL", new).panels == (), "a domain without lengths has no panel"
    lengths = {"mean_tokens": 9.0, "p95_tokens": 20.0}
    logic = {f"domain/logic/{name}": value for name, value in lengths.items()}
    pictures = {f"image/{name}": value for name, value in {"accuracy": 0.5, **lengths}.items()}
    write_csv(tmp_path / "one.csv", "iteration", [{**row, **logic} for row in rows])
    write_csv(tmp_path / "two.csv", "iteration", [{**row, **logic, **pictures} for row in rows])
    assert domains("long RL", read_curve(tmp_path / "one.csv", "iteration")).panels == (), "one group alone is the whole"
    two = domains("long RL", read_curve(tmp_path / "two.csv", "iteration"))
    assert [panel.name for panel in two.panels] == ["all pictures", "logic"]
