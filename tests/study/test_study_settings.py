"""study/params.yaml and its presets: every variant gives valid parameters; faults are named."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from imports import PROJECT

from stages.data.files import DataError
from stages.run.params import ParamsError
from stages.study.claims import CLAIMS, FIGURES
from stages.study.settings import parameters, read_settings
from stages.study.verdicts import command

OWN = PROJECT / "params.yaml"
FILES = [path for path in sorted((PROJECT / "study").glob("*.yaml")) if path.name != "dvc.yaml"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_each_variant_is_valid_and_each_claim_has_its_variants(path: Path) -> None:
    settings = read_settings(path)
    assert len(settings.seeds) >= 3
    for changes in settings.variants.values():
        parameters(OWN, settings.seeds[0], {**settings.changes, **changes}, path)
    named = {side.variant for claim in CLAIMS for side in (claim.first, claim.second)}
    named |= {variant for _, variants in FIGURES.values() for variant in variants}
    assert named == set(settings.variants), "no claim without its variants, no variant without a claim"
    assert {claim.figure for claim in CLAIMS} == set(FIGURES)


def test_the_command_names_the_file_that_holds_the_settings() -> None:
    folder = PROJECT / "study"
    assert command(read_settings(folder / "one-gpu.yaml"), folder) == "make study STUDY=one-gpu"
    assert command(read_settings(folder / "params.yaml"), folder) == "make study"


def test_a_run_has_its_own_seed_values_and_absolute_folders() -> None:
    tree = parameters(OWN, 7, {"rl.long.tau": 0.5, "loss.variants": ["rest"]}, FILES[0])
    before = yaml.safe_load(OWN.read_text(encoding="utf-8"))
    assert (tree["seed"], tree["rl"]["long"]["tau"], tree["loss"]["variants"]) == (7, 0.5, ["rest"])
    assert tree["rl"]["short"] == before["rl"]["short"]
    assert tree["collect"]["root"] == str(PROJECT / before["collect"]["root"])
    assert tree["model"]["source"] == "scratch"


def test_checkpoints_of_the_users_are_found_from_the_runs_folder() -> None:
    tree = parameters(OWN, 0, {"model.source": "stages/study", "judge.model": "stages/data"}, FILES[0])
    assert (tree["model"]["source"], tree["judge"]["model"]) == (str(PROJECT / "stages/study"), str(PROJECT / "stages/data"))


@pytest.mark.parametrize(
    "changes, told",
    [
        ({"rl.long.tua": 0.5}, r"s.yaml: unknown parameter 'rl.long.tua'; did you mean 'tau'\?"),
        ({"rl.lang.tau": 0.5}, "s.yaml: no parameter 'rl.lang.tau': params.yaml has no section 'rl.lang'"),
        ({"seed.x": 1}, "s.yaml: no parameter 'seed.x'"),
        ({"hardware.processes": 4}, "s.yaml: hardware.processes is 4; the study trains on one process a run"),
        (
            {"loss.variants": ["rest", "log_partition"]},
            "rest has neither baseline nor tau term, log_partition would",
        ),
    ],
)
def test_a_wrong_change_is_named_with_the_file(changes: dict[str, Any], told: str) -> None:
    with pytest.raises(ParamsError, match=told):
        parameters(OWN, 0, changes, Path("s.yaml"))


@pytest.mark.parametrize(
    "changed, told",
    [
        ({"seeds": [0]}, "seeds: List should have at least 2 items"),
        ({"seeds": [0, 1, 1]}, "each seed once"),
        ({"variants": {"rest": {}}}, "no variant 'control'"),
        ({"variants": {"control": {}, "Tau 1": {}}}, "variant 'Tau 1': expected small letters"),
        ({"variant": {}}, "variant: Extra inputs are not permitted"),
    ],
)
def test_wrong_settings_are_named(tmp_path: Path, changed: dict[str, Any], told: str) -> None:
    path = tmp_path / "s.yaml"
    path.write_text(yaml.safe_dump({"seeds": [0, 1], "changes": {}, "variants": {"control": {}}, **changed}))
    with pytest.raises(DataError, match=told):
        read_settings(path)
