"""Overrides into params.yaml: exact, validated, comments kept."""

import shutil
from pathlib import Path

import pytest
from toy_repository import PROJECT

from flows import overrides
from stages.run.params import ParamsError, load


@pytest.fixture
def params(tmp_path: Path) -> Path:
    return Path(shutil.copy(PROJECT / "params.yaml", tmp_path / "params.yaml"))


def test_only_the_named_line_changes(params: Path) -> None:
    before = params.read_text().splitlines()
    assert overrides.apply({"rl.long.tau": 0.25}, params) == {"rl.long.tau": (load(PROJECT / "params.yaml").rl.long.tau, 0.25)}
    changed = [(old, new) for old, new in zip(before, params.read_text().splitlines(), strict=True) if old.rstrip() != new.rstrip()]
    assert len(changed) == 1, changed
    assert changed[0][0].split("#")[1] == changed[0][1].split("#")[1], "the comment was lost"
    assert load(params).rl.long.tau == 0.25


def test_lists_and_null_go_in_as_yaml(params: Path) -> None:
    values = overrides.parse(["evaluate.benchmarks=[math500]", "evaluate.limit=5", "model.instruction=a=b: c".replace(": ", ":")])
    overrides.apply(values, params)
    assert (load(params).evaluate.benchmarks, load(params).evaluate.limit) == (["math500"], 5)
    assert load(params).model.instruction == "a=b:c"


def test_equal_values_change_nothing(params: Path) -> None:
    before = params.stat().st_mtime_ns
    assert overrides.apply({"seed": load(params).seed}, params) == {}
    assert params.stat().st_mtime_ns == before


@pytest.mark.parametrize(
    "values, message",
    [
        ({"sed": 1}, "unknown parameter 'sed'; did you mean 'seed'?"),
        ({"rl.long.tua": 1.0}, "did you mean 'tau'?"),
        ({"rl.longer.tau": 1.0}, "did you mean 'long'?"),
        ({"seed": "one"}, "seed = 'one'"),
        ({"seed.more": 1}, "'seed' is a value, not a section"),
    ],
)
def test_a_wrong_one_is_named_and_nothing_is_written(params: Path, values: dict[str, object], message: str) -> None:
    before = params.read_bytes()
    with pytest.raises(ParamsError) as caught:
        overrides.apply(values, params)
    assert message in str(caught.value)
    assert f".{params.name}" not in str(caught.value), "the message names a temporary file"
    assert params.read_bytes() == before
    assert [path.name for path in params.parent.iterdir()] == ["params.yaml"]


def test_words_without_equals_are_refused() -> None:
    with pytest.raises(ParamsError, match=r"-S seed: expected section.key=value"):
        overrides.parse(["seed"])


def test_data_needs_both_folders(tmp_path: Path) -> None:
    (tmp_path / "train").mkdir()
    with pytest.raises(ParamsError, match=f"no folder {tmp_path}/bench"):
        overrides.data(tmp_path)
    (tmp_path / "bench").mkdir()
    assert overrides.data(tmp_path) == {"collect.root": f"{tmp_path}/train", "evaluate.root": f"{tmp_path}/bench"}


def test_an_unknown_preset_names_the_known() -> None:
    with pytest.raises(ParamsError, match="no preset 'nope'; there are: "):
        overrides.preset("nope")


@pytest.mark.parametrize("name", sorted(path.stem for path in overrides.PRESETS.glob("*.yaml")))
def test_each_preset_applies(params: Path, name: str) -> None:
    values = overrides.preset(name)
    changed = overrides.apply(values, params)
    assert changed, "a preset that changes nothing is none"
    assert set(changed) <= set(values)


def test_what_a_preset_takes_of_the_data_comes_with_the_data_alone(tmp_path: Path) -> None:
    """smollm2 has GSM8K where there are files; a later preset's sources win over it."""
    for name in ("train", "bench"):
        (tmp_path / name).mkdir()

    def kinds(names: str, folder: Path | None) -> list[str]:
        return [source["kind"] for source in overrides.chosen(names, folder, [])["collect.sources"]]

    assert kinds("smollm2", None) == ["procedural", "procedural"]
    assert kinds("smollm2", tmp_path) == ["procedural", "procedural", "gsm8k"]
    assert kinds("smollm2,short", tmp_path) == ["procedural"]
    assert overrides.chosen("smollm2", tmp_path, [])["collect.root"] == str(tmp_path / "train")


def test_a_path_is_a_preset_as_well_as_a_name(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("seed: 7\nrl.long.tau: 0.2\n")
    assert overrides.preset(str(path)) == {"seed": 7, "rl.long.tau": 0.2}
    assert overrides.chosen(f"laptop,{path}", None, ["seed=8"])["rl.long.iterations"] == 12
    assert overrides.chosen(f"laptop,{path}", None, ["seed=8"])["seed"] == 8
    with pytest.raises(ParamsError, match=r"no file '.*nope\.yaml'; `k15 init` writes one"):
        overrides.preset(str(tmp_path / "nope.yaml"))
    path.write_text("- a list\n")
    with pytest.raises(ParamsError, match=r"expected lines 'section\.key: value', found list"):
        overrides.preset(str(path))
    path.write_text("a: [\n")
    with pytest.raises(ParamsError, match="not YAML"):
        overrides.preset(str(path))
