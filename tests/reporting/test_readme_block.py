"""The results part of the README: every number from the files, all else untouched."""

import json
import shutil
from pathlib import Path

import pytest
from synthetic_run import ACCURACY, TOKENS, write_run

from stages.data.files import DataError, write_json
from stages.reporting.curves import read_curve, validation_suites
from stages.reporting.evaluations import read_evaluations
from stages.reporting.readme import END, START, block, fill, own_page
from stages.reporting.summary import summarise


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("run")
    write_run(root)
    suites = validation_suites(read_curve(root / "results/training/long_rl.csv", "iteration"))
    evaluations = read_evaluations(root / "results/evaluations")
    write_json(
        root / "results/report/summary.json", summarise(evaluations, suites["total"], {"base": 70.25, "rl@long": 301.75}, {})
    )
    (root / "results/report/figure5.png").write_bytes(b"")
    return root / "results"


def test_the_table_has_every_checkpoint_with_interval_counts_and_tokens(results: Path) -> None:
    lines = block(results).splitlines()
    place = lines.index("| checkpoint | accuracy | text | pictures | mean tokens | n | k |")
    rows = [line.strip("| ").split(" | ") for line in lines[place + 2 : place + 2 + len(ACCURACY)]]
    assert [row[0] for row in rows] == [
        "base", "short SFT", "long SFT", "long RL", "merged", "merged + RS", "shortest RS", "DPO", "short RL",
    ]  # fmt: skip
    assert [row[4:] for row in rows] == [[f"{tokens:.1f}", "576", "1"] for tokens in TOKENS.values()]
    # 63% of 576: 1.96 * sqrt(0.63 * 0.37 / 576) = 3.94 points; text and pictures have 288 each: 5.61 and 5.51.
    assert rows[3][1:4] == ["63.0 [59.1, 66.9]", "61.0 [55.4, 66.6]", "65.0 [59.5, 70.5]"]


def test_size_seed_time_and_checks_are_said(results: Path) -> None:
    text = block(results)
    assert "Model: 912,384 weights; seed 0; all stages together 6.2 minutes." in text
    assert "| RL beats long SFT | **+21.0 points** 42.0% [38.0, 46.0] to 63.0% [59.1, 66.9], intervals apart." in text
    assert text.count("✓ holds |") + text.count("✗ does not hold |") + text.count("? cannot be decided |") == 6


def test_a_named_model_is_said_and_another_run_has_a_page_of_its_own(results: Path, tmp_path: Path) -> None:
    assert "SmolLM2" not in block(results)
    shutil.copytree(results, tmp_path / "real")
    for path in (tmp_path / "real/evaluations").glob("*.json"):
        write_json(path, json.loads(path.read_text(encoding="utf-8")) | {"model": "SmolLM2, dequantised from Q4_1"})
    text = own_page(tmp_path / "real")
    assert text.startswith("# The recipe with SmolLM2, dequantised from Q4_1\n\nModel: SmolLM2, dequantised from Q4_1; ")
    assert "](report/figure5.png)" in text
    assert text.endswith("| stage | seconds |\n| --- | --- |\n| rl@long | 302 |\n| base | 70 |\n"), "the longest first"


def test_other_seeds_have_a_row_of_their_own(results: Path) -> None:
    assert "| seed |" not in block(results), "one seed needs no table"
    kept = results / "seeds/7.json"
    write_json(kept, json.loads((results / "report/summary.json").read_text()))
    lines = block(results).splitlines()
    kept.unlink()
    place = next(number for number, line in enumerate(lines) if line.startswith("| seed |"))
    rows = [line.strip("| ").split(" | ") for line in lines[place + 2 : place + 4]]
    assert [row[0] for row in rows] == ["0", "7"]
    assert rows[0][1:] == rows[1][1:], "the same summary gives the same figures"
    assert rows[0][1:4] == ["42.0 [38.0, 46.0]", "63.0 [59.1, 66.9]", "+21.0"]


def test_a_file_that_is_no_seed_is_an_error(results: Path) -> None:
    kept = results / "seeds/first.json"
    write_json(kept, {})
    with pytest.raises(DataError, match=r"first.json: expected <seed>.json"):
        block(results)
    kept.unlink()


def test_only_figures_that_exist_are_shown(results: Path) -> None:
    text = block(results)
    assert f"({results / 'report/figure5.png'})" in text
    assert "figure7" not in text


def test_a_study_is_summed_up_in_a_line_with_its_figures(results: Path, tmp_path: Path) -> None:
    shutil.copytree(results, tmp_path / "results")
    folder = tmp_path / "results/study"
    claims = [{"verdict": word} for word in ("held", "held", "undecided", "not held")]
    scores = {"control": {"0": {}, "1": {}}, "rest": {"0": {}, "1": {}}}
    facts = {"Run": {"command": "make study STUDY=one-gpu"}}
    write_json(folder / "summary.json", {"findings": claims, "scores": scores, "facts": facts})
    (folder / "findings.png").write_bytes(b"")
    text = block(tmp_path / "results")
    assert "(`make study STUDY=one-gpu`; 2 variants, 2 seeds each" in text
    assert "Of 4 claims 2 held, 1 did not, 1 stay undecided" in text
    assert f"({folder / 'findings.png'})" in text
    assert "negative_gradients" not in text
    assert "claims in miniature" not in block(results)


def test_filling_changes_the_block_alone_and_twice_is_once() -> None:
    text = f"# Title\n\n{START}old\n{END}\nafter\n"
    filled = fill(text, "new\n")
    assert filled == f"# Title\n\n{START}new\n{END}\nafter\n"
    assert fill(filled, "new\n") == filled


@pytest.mark.parametrize("text", ["no marks\n", START, f"{END}{START}", f"{START}{END}{START}{END}"])
def test_marks_that_are_lost_or_doubled_are_an_error(text: str) -> None:
    with pytest.raises(DataError, match="expected one line <!-- results -->"):
        fill(text, "new\n")


def test_without_a_run_the_error_names_the_command(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"summary\.json: no such file; run `dvc repro report`"):
        block(tmp_path)
