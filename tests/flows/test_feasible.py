"""What cannot work is said before the run, and what can is not refused."""

from pathlib import Path
from typing import Any

import pytest
from toy_repository import PROJECT

from flows import feasible, overrides
from flows.machine import GIB, Gpu, Machine
from flows.plan import changed
from stages.run.params import parsed

SMALL = Machine(cores=2, memory=16 * GIB, gpus=(), free_disk=100 * GIB)
HUB = {"model.source": "Qwen/Qwen2.5-VL-3B-Instruct", "model.revision": "c"}


def machine(count: int, gib: int = 80, assumed: bool = True) -> Machine:
    return Machine(16, 512 * GIB, (Gpu("test", gib * GIB),) * count, 4000 * GIB, assumed)


def found(values: dict[str, Any], on: Machine, monkeypatch: pytest.MonkeyPatch) -> list[feasible.Finding]:
    monkeypatch.chdir(PROJECT)
    for name in ("K15_HOSTFILE", "K15_LAUNCHER", "PREFECT_API_URL", "OPENAI_API_KEY", "HF_HUB_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    return feasible.findings(parsed(changed(PROJECT, values)), on, PROJECT, checkpoints=8)


def test_nothing_stands_against_the_default_run(monkeypatch: pytest.MonkeyPatch) -> None:
    assert found({}, SMALL, monkeypatch) == []


@pytest.mark.parametrize(
    "values, on, words",
    [
        ({"hardware.device": "cuda"}, SMALL, "hardware.device is cuda, but nvidia-smi shows no GPU here"),
        ({"hardware.processes": 4}, machine(2, assumed=False), "hardware.processes is 4, but 2 GPU(s) are here"),
        ({"hardware.engine": "vllm", "hardware.vllm.tensor_parallel": 2}, SMALL, "no multiple of hardware.vllm.tensor_parallel"),
        ({"rl.long.prompts": 1201}, SMALL, "rl.long.prompts is 1201, but collect.sources ask for 1200 problems only"),
        ({"hardware.processes": 33}, machine(33), "rl.long.prompts is 32: each of 33 ranks needs one"),
        ({"rl.short.max_tokens": 256}, SMALL, "no room for a prompt in model.context = 256"),
        ({"base.heads": 7}, SMALL, "base.hidden = 96 is no multiple of base.heads = 7"),
        ({"collect.root": "nowhere"}, SMALL, "collect.root: no folder nowhere"),
        ({"model.source": "stages"}, SMALL, "no config.json there, so no transformers checkpoint"),
        ({"judge.model": "nowhere"}, SMALL, "judge.model nowhere: no config.json there"),
        ({"judge.model": "m", "judge.endpoint": "https://example.org/v1"}, SMALL, "no key; put yours into the environment"),
        (HUB, SMALL, "a rank's share of the main memory is 16.0 GiB; no micro-batch is small enough: more GPUs"),
        (HUB, Machine(8, 64 * GIB, (Gpu("test", 80 * GIB),), GIB), "8 checkpoints and the state to resume take"),
    ],
    ids=lambda value: "" if not isinstance(value, str) else value[:40],
)
def test_what_cannot_work(values: dict[str, Any], on: Machine, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    fatal = [finding.text for finding in found(values, on, monkeypatch) if finding.fatal]
    assert any(words in text for text in fatal), fatal


def test_an_absent_benchmark_is_a_note_with_the_way_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    (finding,) = found({"evaluate.benchmarks": ["math500"]}, SMALL, monkeypatch)
    assert not finding.fatal
    assert "will have no score" in finding.text
    assert "hf download HuggingFaceH4/MATH-500" in finding.text


def test_what_does_not_fit_names_the_values_to_lower_and_to_what(monkeypatch: pytest.MonkeyPatch) -> None:
    """7 billion weights on 8 GPUs of 80 GiB, each rank with everything whole."""
    values = {**HUB, "model.source": "Qwen/Qwen2.5-VL-7B-Instruct", "hardware.processes": 8, "hardware.generation_batch": 64}
    texts = [finding.text for finding in found(values, machine(8), monkeypatch) if finding.fatal]
    assert any("while training (optimizer 92.7 GiB" in text for text in texts), texts
    (remedy,) = [text.partition("; set ")[2] for text in texts if "; set hardware" in text]
    chosen = dict(word.split("=") for word in remedy.split())
    assert chosen["hardware.zero_stage"] == "2"
    better = overrides.parse([f"{key}={value}" for key, value in chosen.items()])
    assert not [finding for finding in found(values | better, machine(8), monkeypatch) if finding.fatal]


def test_a_hub_model_offline_cannot_work(monkeypatch: pytest.MonkeyPatch) -> None:
    notes = [finding for finding in found(HUB, machine(1), monkeypatch) if "hub's cache" in finding.text]
    assert [(note.fatal, note.text.endswith("`base` downloads it")) for note in notes] == [(False, True)]
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert any(finding.fatal for finding in feasible.findings(parsed(changed(PROJECT, HUB)), machine(1), PROJECT, 8))


def test_a_dead_prefect_server_that_the_user_names(monkeypatch: pytest.MonkeyPatch) -> None:
    assert found({}, SMALL, monkeypatch) == []
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:9/api")
    (finding,) = feasible.findings(parsed(changed(PROJECT, {})), SMALL, PROJECT, 8)
    assert finding.fatal
    assert "no Prefect server answers there" in finding.text


def test_code_in_a_source_needs_the_sandbox(tmp_path: Path) -> None:
    path = tmp_path / "p.jsonl"
    path.write_text('{"question": "\\"code\\""}\nnot json "code"\n')
    assert not feasible._asks_for_code("jsonl", path)
    path.write_text('{"question": "q", "verifier": "code"}\n')
    assert feasible._asks_for_code("jsonl", path)


@pytest.mark.parametrize(
    "name, gpus",
    [
        ("laptop", 0),
        ("rl-only", 0),
        ("real-data", 0),
        ("smollm2", 0),
        ("short", 0),
        ("one-gpu", 1),
        ("one-gpu-scratch", 1),
        ("eight-gpus", 8),
        ("cluster", 16),
    ],
)
def test_each_preset_can_work_on_its_machine(name: str, gpus: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for path in ("gsm8k/train.jsonl", "math12k/test_minus_math500_4500.jsonl", "tabmwp_dev1k/items.jsonl"):
        (tmp_path / "train" / path).parent.mkdir(parents=True)
        (tmp_path / "train" / path).touch()
    (tmp_path / "bench").mkdir()
    given = overrides.data(tmp_path) if name == "real-data" else {}
    on = machine(gpus) if gpus else SMALL
    assert [finding for finding in found(overrides.preset(name) | given, on, monkeypatch) if finding.fatal] == []
    optional = {"all-sources", "code-tests", "reward-model", "smollm2-data", "teacher"}  # these bring files of the user's own
    assert set(overrides.presets()) - optional == {
        *("laptop", "rl-only", "real-data", "smollm2", "short", "one-gpu", "one-gpu-scratch", "eight-gpus", "cluster"),
    }


@pytest.mark.parametrize("folder", [".", "..", str(PROJECT.parent)])
def test_a_folder_that_holds_the_project_is_no_input(folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """DVC refuses it: the outputs of stages would lie in an input of theirs."""
    said = [finding.text for finding in found({"collect.root": folder}, SMALL, monkeypatch) if finding.fatal]
    assert any("collect.root" in text and "holds the project" in text for text in said)
