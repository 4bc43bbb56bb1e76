"""What each of two ranks does in test_vllm_engine.py, as evaluate does it: a checkpoint is asked by vLLM, each rank for itself and
another number of times. Arguments: the checkpoint, a folder for the answers."""

import json
import sys
from functools import partial
from pathlib import Path

from tiny import INSTRUCTION, hardware

from stages.prompts.prompt import Prompt
from stages.rollout.engine import Sampling
from stages.rollout.opening import load_engine
from stages.run.params import Model
from stages.run.program import run
from stages.run.ranks import rank


def main(folder: Path, out: Path) -> None:
    chosen = hardware(
        device="cpu", engine="vllm", processes=2, vllm={"tensor_parallel": 1, "memory_share": 0.2}, generation_batch=16
    )
    model = Model(
        source=str(folder), revision=None, context=640, instruction=INSTRUCTION, system=None, thinking=None, chat_template=None
    )
    engine = load_engine(folder, model, chosen, cache_bytes=1 << 20)
    prompts = [Prompt(question, image or None) for question, image in json.loads((out / "prompts.json").read_text())]
    answers = []
    for place in range(rank(), len(prompts), 2 - rank()):  # the second rank asks more often
        (group,) = engine.generate([prompts[place]], Sampling(0.0, 1.0, 12, 0), samples=2)
        answers.append([place, [list(one.token_ids) for one in group]])
    (out / f"{rank()}.json").write_text(json.dumps(answers))


if __name__ == "__main__":
    run(partial(main, Path(sys.argv[1]), Path(sys.argv[2])))
