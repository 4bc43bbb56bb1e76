"""The lines of `k15 plan` that say what each stage has to do, on numbers worked by hand."""

from pathlib import Path

import pytest
from toy_repository import PROJECT

from flows import overrides, sizes
from flows.model_sources import model_of
from flows.plan import changed
from flows.workload import SETS
from stages.run.params import Params, load, parsed


@pytest.fixture(scope="module")
def params() -> Params:
    return load(PROJECT / "params.yaml")


def test_the_default_run_in_numbers(params: Params, tmp_path: Path) -> None:
    """Six families of 200, 32 and 96 problems; 24 iterations of 32 x 8 responses of at most 80 tokens, twice in batches of 64."""
    lines = sizes.by_stage(params, tmp_path)
    assert lines["collect"] == "1,200 problems for training, 192 validation, 576 held out"
    assert lines["base"] == "24,000 documents, batches of 32: 750 steps"
    assert lines["curate"] == "14,400 responses at most"  # 1200 x (10 + 0.25 x 8)
    assert "32 prompts x 8 = 256 responses, at most 20,480 new tokens; 8 optimizer steps each, 192 in all" in lines["rl@long"]
    assert lines["sft@long"].endswith("steps: known when demonstrations.jsonl is made")


def test_steps_are_counted_where_the_demonstrations_are_there(params: Params, tmp_path: Path) -> None:
    path = tmp_path / SETS["short"]
    path.parent.mkdir(parents=True)
    path.write_text("{}\n" * 65)
    assert sizes.by_stage(params, tmp_path)["sft@short"] == "65 demonstrations, batches of 64: 6 steps"  # 3 epochs of 2


def test_a_phase_that_is_off_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(PROJECT)
    lines = sizes.by_stage(parsed(changed(PROJECT, {"sft.short": None, "rl.short": None})))
    assert lines["sft@short"] == "sft.short is null: base is handed on as short_sft"
    assert lines["rl@short"] == "rl.short is null: long_rl is handed on as short_rl"


@pytest.mark.parametrize("name", overrides.presets())
def test_each_preset_gives_whole_sizes(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(PROJECT)
    params = parsed(changed(PROJECT, overrides.preset(name)))
    lines = sizes.by_stage(params)
    assert {"collect", "curate", "rl@long", "rl@short", "sample", "evaluate"} <= set(lines)
    assert model_of(params).weights
