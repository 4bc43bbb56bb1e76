"""`k15 init`: the file that it writes fits the model, the rows and the machine, and is what `make run PRESET=` takes."""

import argparse
import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml
from toy_repository import PROJECT

from flows import feasible, fitting, init_data, k15, k15_init, overrides
from flows.machine import GIB, Gpu, Machine, this_machine
from flows.model_sources import model_of
from flows.plan import changed
from stages.data.files import DataError
from stages.run.params import Params, parsed

MADE = ("one-gpu", "eight-gpus", "cluster")
QWEN3, COMMIT = "Qwen/Qwen3-4B", "c" * 40
EXAMPLES = PROJECT / "stages/problems/examples"
CPU = Machine(2, 24 * GIB, (), 500 * GIB)


def machine(count: int, gib: int = 80) -> Machine:
    return Machine(16, 512 * GIB, (Gpu(f"assumed, {gib} GiB", gib * GIB),) * count, 4000 * GIB, assumed=True)


@pytest.fixture(autouse=True)
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(PROJECT)
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)


def arguments(*words: str) -> argparse.Namespace:
    return k15.parser().parse_args(["init", *words])


def composed(on: Machine, *words: str) -> tuple[dict[str, Any], Params]:
    """The values as they are read from the text, and the parameters that they make."""
    text, chosen = k15_init.composed(arguments(*words, "--out", "x.yaml"), on)
    values = yaml.safe_load(text)
    assert values == chosen.values
    return values, parsed(changed(PROJECT, values))


def rows(folder: Path, count: int, name: str = "rows.jsonl", **more: Any) -> Path:
    path = folder / name
    lines = [{"question": f"What is {i} times {i + 3}?", "answer": str(i * (i + 3)), **more} for i in range(count)]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


@pytest.mark.parametrize("name", MADE)
def test_the_presets_are_what_init_writes(name: str) -> None:
    """The command stands in their first line."""
    path = overrides.PRESETS / f"{name}.yaml"
    text = path.read_text(encoding="utf-8")
    found = re.match(r"# Written by `k15 (init .*)`:\n", text)
    assert found, "made by hand"
    args = k15.parser().parse_args(shlex.split(found[1]))
    assert args.out == path.relative_to(PROJECT)
    again, _ = k15_init.composed(args, this_machine(PROJECT, args.gpus))
    assert again == text, f"run: k15 {found[1]} --force"


@pytest.mark.parametrize(
    "on, words",
    [
        (machine(1), ("Qwen/Qwen2.5-VL-3B-Instruct",)),
        (machine(1, 141), (QWEN3,)),
        (machine(8), (QWEN3,)),
        (machine(8, 141), ("Qwen/Qwen2.5-VL-7B-Instruct",)),
        (machine(2, 24), ("HuggingFaceTB/SmolLM2-135M-Instruct",)),
        (CPU, ("HuggingFaceTB/SmolLM2-135M-Instruct",)),
    ],
    ids=lambda value: value[0].split("/")[1] if isinstance(value, tuple) else f"{len(value.gpus)}-gpus",
)
@pytest.mark.parametrize("data", [True, False], ids=["rows", "procedural"])
def test_it_fits_and_nothing_stands_against_it(on: Machine, words: tuple[str], data: bool, tmp_path: Path) -> None:
    given = ("--data", str(rows(tmp_path, 300, solution="Multiply."))) if data else ()
    _, params = composed(on, "--model", *words, "--revision", COMMIT, *given)
    model = model_of(params, PROJECT)
    assert fitting.fits(model, params.hardware, fitting.place_of(params, on))
    found = feasible.findings(params, on, PROJECT, 9)
    assert [one for one in found if one.fatal] == []
    assert not [one for one in found if "tiny model" in one.text or "max_staleness" in one.text]
    assert params.hardware.engine == ("vllm" if on.gpus and (model.weights or 0) > 10**9 else "transformers")


def test_learning_rates_follow_the_size() -> None:
    rates = {}
    for model in ("HuggingFaceTB/SmolLM2-135M-Instruct", QWEN3):
        values, _ = composed(machine(1, 141), "--model", model, "--revision", COMMIT)
        rates[model] = (values["sft.short.learning_rate"], values["rl.long.learning_rate"], values["sft.short.final_learning_rate"])
    assert list(rates.values()) == [(1e-4, 5e-6, 1e-5), (2e-5, 1e-6, 2e-6)]


def test_a_text_model_is_asked_about_text_only() -> None:
    values, _ = composed(machine(1, 141), "--model", QWEN3, "--revision", COMMIT)
    assert [source["families"] for source in values["collect.sources"]] == [["arithmetic", "word_problem", "logic"]]
    assert "collect.max_image_pixels" not in values


def test_rows_make_sources_splits_and_lengths(tmp_path: Path) -> None:
    """300 rows: a tenth held out, a twentieth for validation. Solutions of 3,000 characters are 1,001 tokens: twice that fits."""
    path = rows(tmp_path, 300, solution="x" * 3000)
    values, params = composed(machine(1, 141), "--model", QWEN3, "--revision", COMMIT, "--data", str(path))
    (source,) = values["collect.sources"]
    assert (source["train"], source["validation"], source["heldout"], source["path"]) == (255, 15, 30, "rows.jsonl")
    assert values["collect.root"] == str(tmp_path)
    assert params.rl.long.max_tokens == 2048
    long = rows(tmp_path, 300, "long.jsonl", solution="x" * 12_000)
    values, params = composed(machine(1, 141), "--model", QWEN3, "--revision", COMMIT, "--data", str(long))
    assert params.rl.long.max_tokens == 8064  # 2 x 4,001, in steps of 64
    assert params.model.context >= 8064 + 64
    assert params.rollout.segment_tokens * params.rollout.max_staleness >= 8064


@pytest.mark.parametrize(
    "file, adapter",
    [("gsm8k/train.jsonl", "gsm8k"), ("math12k/train_7500_answers_only.jsonl", "math"), ("tabmwp_dev1k/items.jsonl", "tabmwp")],
)
def test_published_forms_are_known_by_their_rows(file: str, adapter: str) -> None:
    (found,) = init_data.read(EXAMPLES / file).files
    assert (found.adapter, found.columns) == (adapter, {})
    assert found.drafts


def test_other_columns_are_taken_for_our_fields(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("problem,final_answer,author\n" + "".join(f"What is {i}?,{i},me\n" for i in range(30)))
    (found,) = init_data.read(path).files
    assert (found.adapter, found.columns, found.rows) == ("own", {"question": "problem", "answer": "final_answer"}, 30)
    _, params = composed(machine(1, 141), "--model", QWEN3, "--revision", COMMIT, "--data", str(path))
    assert params.collect.sources[0].kind == "csv"
    assert params.collect.sources[0].columns == {"question": "problem", "answer": "final_answer"}


def test_a_folder_of_train_and_bench(tmp_path: Path) -> None:
    (tmp_path / "train/gsm8k").mkdir(parents=True)
    (tmp_path / "bench/math500").mkdir(parents=True)
    (tmp_path / "bench/math500/test.jsonl").write_text("{}\n")
    rows(tmp_path / "train", 40, "mine.jsonl")
    (tmp_path / "train/notes.json").write_text("[1, 2]")
    text = "".join(json.dumps({"question": f"Q{i}?", "answer": f"so #### {i}"}) + "\n" for i in range(50))
    (tmp_path / "train/gsm8k/train.jsonl").write_text(text)
    values, params = composed(machine(1, 141), "--model", QWEN3, "--revision", COMMIT, "--data", str(tmp_path))
    assert [source.path for source in params.collect.sources] == ["gsm8k/train.jsonl", "mine.jsonl"]
    assert [source.adapter for source in params.collect.sources] == ["gsm8k", "own"]
    assert values["evaluate.benchmarks"] == ["math500"]
    assert values["evaluate.root"] == str(tmp_path / "bench")


@pytest.mark.parametrize(
    "content, words",
    [
        ('{"text": "a", "label2": 1}\n', "rows with text, label2 are of no known form; expected at least question and answer"),
        ("not json\n", "no row can be read"),
        ('{"question": "q?", "answer": "1"}\n', "1 rows are too few for"),
    ],
)
def test_rows_that_cannot_be_used(content: str, words: str, tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(content)
    with pytest.raises(DataError, match=re.escape(words)):
        composed(machine(1, 141), "--model", QWEN3, "--revision", COMMIT, "--data", str(path))


def test_prompts_longer_than_the_model_reads(tmp_path: Path) -> None:
    path = rows(tmp_path, 30, solution="s")
    path.write_text(path.read_text().replace("What is", "What is " + "x" * 100_000))
    with pytest.raises(DataError, match="take more than half of the 40960 that the model reads"):
        composed(machine(1, 141), "--model", QWEN3, "--revision", COMMIT, "--data", str(path))


def test_a_model_that_does_not_fit_says_what_its_states_take() -> None:
    with pytest.raises(DataError, match=r"8,292,166,656 weights does not fit 1 x 24\.0 GiB: an optimizer step takes 155\.4 GiB"):
        composed(machine(1, 24), "--model", "Qwen/Qwen2.5-VL-7B-Instruct", "--revision", COMMIT)


def test_mistakes_are_one_line_and_no_file_is_overwritten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "mine.yaml"
    call = ["--model", QWEN3, "--revision", COMMIT, "--gpus", "1x141", "--out", str(out)]
    assert k15_init.run(arguments(*call)) == 0
    assert overrides.preset(str(out))["model.source"] == QWEN3
    out.write_text("seed: 1\n")
    with pytest.raises(DataError, match="is there already; choose another name, or write over it with --force"):
        k15_init.run(arguments(*call))
    assert out.read_text() == "seed: 1\n"
    assert k15_init.run(arguments(*call, "--force")) == 0
    assert "model.source" in out.read_text()
    with pytest.raises(DataError, match=r"expected a name that ends in \.yaml"):
        k15_init.run(arguments(*call[:-1], str(tmp_path / "mine")))
    with pytest.raises(DataError, match="needs the commit that pins it: --revision COMMIT"):
        k15_init.run(arguments("--model", QWEN3, "--gpus", "1x80", "--out", str(tmp_path / "b.yaml")))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(DataError, match="its number of weights is unknown"):
        k15_init.run(arguments("--model", "no/such-3B", "--revision", COMMIT, "--out", str(tmp_path / "c.yaml")))
