"""Errors of params.yaml: every one on its own line, with the nearest known name."""

from pathlib import Path

import pytest
import yaml
from tiny import params, write_params

from stages.run.params import SFT, Hardware, ParamsError, load, read


def broken(folder: Path, change: str, value: object) -> str:
    tree = params()
    *path, last = change.split(".")
    place = tree
    for name in path:
        place = place[int(name)] if name.isdigit() else place[name]
    place[last] = value
    (folder / "params.yaml").write_text(yaml.safe_dump(tree))
    with pytest.raises(ParamsError) as error:
        load(folder / "params.yaml")
    return str(error.value)


@pytest.mark.parametrize(
    "key, nearest",
    [
        ("rl.long.taus", "tau"),
        ("rl.long.lenght_weight", "length_weight"),
        ("hardwear", "hardware"),
        ("collect.sources.0.familes", "families"),
        ("sft.shorttest", "shortest"),
    ],
)
def test_an_unknown_key_names_the_nearest(tmp_path: Path, key: str, nearest: str) -> None:
    assert broken(tmp_path, key, 1) == f"{tmp_path}/params.yaml: unknown parameter {key!r}; did you mean {nearest!r}?"


def test_a_name_like_nothing_lists_what_is_known(tmp_path: Path) -> None:
    assert broken(tmp_path, "merge.qqqq", 1).endswith("unknown parameter 'merge.qqqq'; known here: weight")


@pytest.mark.parametrize(
    "key, value, told",
    [
        ("rl.long.tau", "0.1x", "Input should be a valid number"),
        ("rl.long.tau", 0, "Input should be greater than 0"),
        ("rl.long.samples", 1, "Input should be greater than or equal to 2"),
        ("rl.long.prompts", "32", "Input should be a valid integer"),
        ("rl.long.prioritized", "yes", "Input should be a valid boolean"),
        ("hardware.zero_stage", 4, "Input should be 0, 1, 2 or 3"),
        ("sft.short.schedule", "step", "Input should be 'cosine', 'linear', 'constant' or 'wsd'"),
        ("seed", 1.5, "Input should be a valid integer"),
        ("rl.long.candidates", -1, "Input should be greater than or equal to 0"),
    ],
)
def test_a_wrong_value_is_shown_with_what_was_expected(tmp_path: Path, key: str, value: object, told: str) -> None:
    message = broken(tmp_path, key, value)
    assert message.startswith(f"{tmp_path}/params.yaml: {key} = {value!r}: ")
    assert told in message


def test_every_problem_is_told_at_once(tmp_path: Path) -> None:
    tree = params()
    del tree["rl"]["long"]["tau"]
    tree["merge"]["weight"] = 2
    tree["extra"] = 1
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(tree))
    with pytest.raises(ParamsError) as error:
        load(tmp_path / "params.yaml")
    lines = sorted(str(error.value).splitlines())
    assert len(lines) == 3
    assert "merge.weight = 2" in lines[0]
    assert "parameter 'rl.long.tau' is missing; give it a value" in lines[1]
    assert "unknown parameter 'extra'" in lines[2]


def test_no_file_no_yaml_no_such_part(tmp_path: Path) -> None:
    with pytest.raises(ParamsError, match=r"no such file .*; run from the project's root"):
        load(tmp_path / "params.yaml")
    (tmp_path / "params.yaml").write_text("seed: [1\n")
    with pytest.raises(ParamsError, match="not YAML"):
        load(tmp_path / "params.yaml")
    (tmp_path / "params.yaml").write_text("")
    with pytest.raises(ParamsError, match="valid dictionary"):
        load(tmp_path / "params.yaml")
    write_params(tmp_path)
    with pytest.raises(ParamsError, match=r"no parameter 'sft.lon'; did you mean 'long'\?"):
        read("sft.lon", SFT, tmp_path / "params.yaml")


def test_parts_are_typed(tmp_path: Path) -> None:
    write_params(tmp_path, seed=7, sft__long__epochs=9, rl__long__tau=1)
    assert read("seed", int, tmp_path / "params.yaml") == 7
    assert read("sft.long", SFT, tmp_path / "params.yaml").epochs == 9
    assert isinstance(read("hardware", Hardware, tmp_path / "params.yaml"), Hardware)
    assert load(tmp_path / "params.yaml").rl.long.tau == 1.0, "a whole number is a number"


def test_a_hub_id_needs_its_commit(tmp_path: Path) -> None:
    write_params(tmp_path, model__source="owner/name")
    with pytest.raises(ParamsError, match=r"model: source 'owner/name' is no folder here, and a hub id needs the commit"):
        load(tmp_path / "params.yaml")
    write_params(tmp_path, model__source="owner/name", model__revision=40 * "0")
    assert load(tmp_path / "params.yaml").model.revision == 40 * "0"


def test_parameters_cannot_be_changed(tmp_path: Path) -> None:
    write_params(tmp_path)
    with pytest.raises(ValueError, match="frozen"):
        load(tmp_path / "params.yaml").merge.weight = 0.3
