"""Writes a checkpoint whose bytes follow from the seed."""

from pathlib import Path

from stages.run.params import read
from stages.run.spool import stage_spool

folder = Path("artifacts/models/long_rl")
folder.mkdir(parents=True, exist_ok=True)
(folder / "model.safetensors").write_text(f"weights of seed {read('seed', int)}")
spool = stage_spool("train")
for step in range(3):
    spool.log(step, {"loss": 1 / (step + 1)})
