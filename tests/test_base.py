"""What base makes of documents: pictures that are prepared together are those that would be prepared one by one; and what it makes
of a checkpoint that is there, on one rank and on two."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import architectures
import pytest
import torch
from tiny import CPU, ROOT, Tiny, largest_gap, weights, write_params

from stages.base import TOGETHER, document_samples, tokenizer_texts
from stages.models.loading import load_model, load_processor
from stages.models.scratch import train_tokenizer
from stages.problems.pretraining import DESCRIBE, documents
from stages.prompts.prompt import Prompt
from stages.run.params import Model


def test_pictures_prepared_together_are_what_they_are_alone(tiny: Tiny) -> None:
    renderer, found = tiny.renderer(), documents(2 * TOGETHER, seed=1)
    assert len({document.image.size for document in found if document.image}) > 5, "pictures of many sizes, to be padded"
    assert any(document.image is None for document in found)
    for document, sample in zip(found, document_samples(found, renderer, tiny.model()), strict=True):
        if document.image is None:
            (alone,) = renderer.render([Prompt(document.question, None)])
        else:
            alone = renderer.picture(renderer.template(Prompt(document.question, "")), document.image)
        assert sample.prompt.token_ids == alone.token_ids
        assert sample.response_ids == tuple(renderer.processor.tokenizer(document.continuation)["input_ids"])
        for ours, theirs in ((sample.prompt.per_token, alone.per_token), (sample.prompt.pixels, alone.pixels)):
            assert ours.keys() == theirs.keys()
            assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


def test_the_tokenizer_knows_the_words_of_all_kinds_of_documents(tmp_path: Path) -> None:
    """The first sixth is captions alone: a tokenizer made from it spells the questions out."""
    (tmp_path / "train.jsonl").write_text("")
    found = documents(19200, seed=1)
    assert all(document.question == DESCRIBE for document in found[:3000])
    model = Model(
        source="scratch",
        revision=None,
        context=256,
        instruction="Answer in \\boxed{}.",
        system=None,
        thinking=None,
        chat_template=None,
    )
    tokenizer = train_tokenizer(tokenizer_texts(found, tmp_path, model), 512)
    worksheets = [document for document in found if document.question != DESCRIBE][:600]
    lengths = [len(tokenizer(document.question)["input_ids"]) for document in worksheets]
    assert sum(lengths) / len(lengths) < 24, "about one token a word"


def based(folder: Path, source: Path, processes: int) -> subprocess.CompletedProcess[str]:
    """The stage as dvc.yaml runs it."""
    write_params(folder, model__source=str(source), model__context=640, hardware__processes=processes)
    words = ["stages.base", "--problems", "artifacts/problems", "--out", "artifacts/models/base", "--curves", "base.csv"]
    command = [sys.executable, "-m", "flows.stage", "base", "--processes", str(processes), "--", *words]
    environ = {**os.environ, "PYTHONPATH": str(ROOT), "K15_TRACKING": "off", "PREFECT_API_URL": "", "OMP_NUM_THREADS": "1"}
    environ |= {"K15_COLLECTIVE_MINUTES": "0.05"}  # 3 seconds: nobody may wait for a download
    return subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, timeout=300)


@pytest.fixture(scope="module")
def texts(tiny: Tiny) -> list[str]:
    return [f"{problem.question}\n{problem.solution_long}" for problem in tiny.problems]


@pytest.mark.parametrize("name", ["qwen3", "qwen2_5_vl"])
def test_a_checkpoint_is_adopted_on_two_ranks(name: str, texts: list[str], tmp_path: Path) -> None:
    """Rank 1 joins no process group and waits for nobody; weights and token ids are those of the source."""
    source = tmp_path / "source"
    architectures.save(name, texts, source)
    done = based(tmp_path, source, 2)
    assert done.returncode == 0, done.stdout + done.stderr
    made = tmp_path / "artifacts/models/base"
    assert largest_gap(weights(load_model(source, CPU)), weights(load_model(made, CPU))) == 0
    left, right = (load_processor(folder).tokenizer(texts)["input_ids"] for folder in (source, made))
    assert left == right


def test_a_broken_processor_is_found_before_weights_are_read_or_written(texts: list[str], tmp_path: Path) -> None:
    source = tmp_path / "source"
    architectures.save("qwen3", texts, source)
    (source / "model.safetensors").unlink()  # who reads weights fails for want of them
    (source / "tokenizer.json").write_text("{")
    done = based(tmp_path, source, 1)
    assert done.returncode != 0
    assert "tokenizer" in done.stderr.lower() or "cannot be loaded" in done.stderr
    assert "safetensors" not in done.stderr
    assert not (tmp_path / "artifacts/models/base").exists()


def test_a_checkpoint_keeps_the_type_of_its_weights(texts: list[str], tmp_path: Path) -> None:
    """bfloat16 is not written as float32: that would be twice the size and no better."""
    architectures.save("llama", texts, tmp_path / "wide")
    narrow = tmp_path / "source"
    shutil.copytree(tmp_path / "wide", narrow)
    load_model(narrow, CPU, dtype=torch.bfloat16).save_pretrained(narrow)
    done = based(tmp_path, narrow, 1)
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads((tmp_path / "artifacts/models/base/config.json").read_text())["dtype"] == "bfloat16"
