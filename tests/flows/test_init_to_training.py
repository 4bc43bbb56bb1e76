"""From a checkpoint folder and a file of question/answer rows to a trained checkpoint by two commands: `k15 init`, then the run."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import architectures
import pytest
import torch
from toy_repository import PROJECT, Toy, environ
from transformers import GenerationConfig, LlamaConfig, LlamaForCausalLM

from flows import overrides

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

SHORTER = (
    "hardware.generation_batch=32",
    "curate.samples=1",
    "curate.guesses=0",
    "sft.short.epochs=1",
    "warm_up.self_taught=null",
    "warm_up.tries=1",
    "evaluate.checkpoints=[short_sft]",
)
"""Values that shorten the run; nothing of it is needed to make it work."""
NOUNS = ("apples", "boats", "candles", "drums", "eggs", "forks", "gloves", "hats", "irons", "jars", "kites", "lamps")


def rows() -> list[dict[str, Any]]:
    """300 rows; each third has a worked solution."""
    found = []
    for number in range(300):
        noun, shop, count = NOUNS[number % 12], NOUNS[number * 7 % 11], number // 12
        question = f"Shop {number} sells {noun} for {count} coins beside {shop}; what do {number % 9 + 2} of them cost?"
        answer = str(count * (number % 9 + 2))
        more = {"solution": f"{number % 9 + 2} x {count} = {answer} coins."} if number % 3 == 0 else {}
        found.append({"question": question, "answer": answer, **more})
    return found


TEMPLATE = (
    "{% for message in messages %}{{ message['role'] }}: {{ message['content'] }}"
    + architectures.END
    + "{% endfor %}{% if add_generation_prompt %}assistant: {% endif %}"
)


def text_model(texts: list[str], folder: Path) -> None:
    """A tiny Llama with a template that takes strings."""
    tokenizer = architectures.tokenizer_of(texts)
    tokenizer.chat_template = TEMPLATE
    config = LlamaConfig(vocab_size=len(tokenizer), num_key_value_heads=1, max_position_embeddings=2048, **architectures.TEXT)
    model = LlamaForCausalLM(config)
    model.generation_config = GenerationConfig(eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def picture_model(texts: list[str], folder: Path) -> None:
    """A tiny Idefics3, which reads pictures, on rows without one."""
    architectures.save("idefics3", texts, folder, max_position_embeddings=2048)


@pytest.fixture
def checkout(tmp_path: Path) -> Toy:
    """The tracked files of this project, without its results, as a repository of its own."""
    listed = subprocess.run(["git", "ls-files"], cwd=PROJECT, capture_output=True, text=True, check=True).stdout
    root = tmp_path / "checkout"
    for name in listed.splitlines():
        if not name.startswith(("results/", "tests/")) and name != "dvc.lock" and (PROJECT / name).is_file():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(PROJECT / name, root / name)
    toy = Toy(root, {**environ(tmp_path), "PYTHONPATH": str(root)})
    for words in (["init", "--quiet"], ["add", "."], ["commit", "--quiet", "--message", "x"]):
        subprocess.run(["git", *words], cwd=root, env=toy.environ, check=True)
    return toy


@pytest.mark.parametrize("build", [text_model, picture_model], ids=["text", "pictures"])
def test_two_commands_train_a_model(build: Any, checkout: Toy, tmp_path: Path) -> None:
    given = rows()
    texts = [row["question"] for row in given]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(4)
        build(texts, tmp_path / "model")
    (tmp_path / "data").mkdir()
    (tmp_path / "data/rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in given))
    words = ["--model", str(tmp_path / "model"), "--data", str(tmp_path / "data/rows.jsonl"), "--gpus", "0"]
    done = checkout.call("-m", "flows.k15", "init", *words, "--out", "mine.yaml")
    assert done.returncode == 0, done.stdout + done.stderr
    values = overrides.preset(str(checkout.root / "mine.yaml"))
    assert values["model.source"] == str(tmp_path / "model")
    planned = checkout.call("-m", "flows.k15", "plan", "--preset", "mine.yaml")
    assert planned.returncode == 0, planned.stdout + planned.stderr

    shorter = [word for value in SHORTER for word in ("-S", value)]
    done = checkout.call("-m", "flows.pipeline", "--preset", "mine.yaml", *shorter, "sft@long", timeout=1500)
    checkout.call("-m", "flows.server", "down")
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    made = checkout.root / "artifacts/models/long_sft"
    assert (made / "model.safetensors").read_bytes() != (tmp_path / "model/model.safetensors").read_bytes()
    curve = (checkout.root / "results/training/long_sft.csv").read_text().splitlines()
    assert len(curve) > 2
