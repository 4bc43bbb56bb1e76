"""Writes what a rank sees of its world."""

import json
import os
import sys
from pathlib import Path

names = ("RANK", "LOCAL_RANK", "WORLD_SIZE", "MASTER_ADDR")
Path(f"rank{os.environ['RANK']}.json").write_text(json.dumps([*(os.environ[name] for name in names), *sys.argv[1:]]))
