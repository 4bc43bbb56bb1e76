"""Two hosts, which are network namespaces with a cable between them: training over both, started as Slurm starts it, ends with the
weights of one host. Nothing but these two can be reached from them."""

import json
import shlex
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
from programs import ended, stage
from tiny import Tiny, write_params
from toy_repository import TOYS, build

from flows.launch import free_port
from stages.data.files import write_records

SRUN = ["unshare", "--user", "--map-root-user", "--net", "--mount", sys.executable, str(TOYS / "toys/srun.py")]
TORCHRUN = f"exec {shlex.quote(sys.executable)} -m torch.distributed.run --nnodes 2 --nproc-per-node 1"
TORCHRUN += ' --node-rank $SLURM_NODEID --master-addr 10.15.0.1 --master-port 29515 "$@"'


@cache
def why_not() -> str | None:
    """Why there can be no two hosts here; None where there can."""
    absent = [name for name in ("unshare", "nsenter", "ip", "mount") if shutil.which(name) is None]
    if absent:
        return f"{', '.join(absent)} not found; install iproute2 and util-linux (.ci/toolchains does)"
    made = subprocess.run(SRUN, capture_output=True, text=True, check=False)
    return None if made.returncode == 0 else f"no network namespaces can be made here: {made.stderr.strip().splitlines()[:1]}"


def prepared(tiny: Tiny, root: Path) -> list[str]:
    """What a short training reads; its arguments."""
    write_params(root, sft__long__epochs=1, sft__long__batch=6, hardware__processes=2)
    write_records(root / "demonstrations.jsonl", tiny.demonstrations()[:18])
    return [
        "long",
        "--init",
        str(tiny.folder),
        "--demonstrations",
        "demonstrations.jsonl",
        "--out",
        "out",
        "--curves",
        "curves.csv",
        "--left-out",
        "left_out.json",
    ]


def told(root: Path) -> list[list[str]]:
    """Address and weights of both ranks after it."""
    return [json.loads((root / f"rank{rank}.json").read_text()) for rank in (0, 1)]


@pytest.mark.slow
def test_two_hosts_learn_what_one_host_learns(tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if (reason := why_not()) is not None:
        pytest.skip(reason)
    toy, launcher = build(tmp_path / "two"), shlex.join([*SRUN, "bash", "-c", TORCHRUN, "torchrun"])
    words = ["-m", "flows.stage", "sft@long", "--processes", "2", "--", "toys.learning", *prepared(tiny, toy.root)]
    done = toy.call(*words, K15_LAUNCHER=launcher, GLOO_SOCKET_IFNAME="eth0", timeout=400)
    assert done.returncode == 0, done.stdout + done.stderr[-3000:]
    first, second = told(toy.root)
    assert (first[0], second[0]) == ("10.15.0.1", "10.15.0.2")
    assert first[1] == second[1], "both hosts hold the same weights"

    monkeypatch.syspath_prepend(str(TOYS))
    alone = tmp_path / "one"
    arguments, port = prepared(tiny, alone), str(free_port())
    meeting = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    here = [stage("toys.learning", arguments, alone, f"{n}.txt", RANK=str(n), LOCAL_RANK=str(n), **meeting) for n in range(2)]
    assert [ended(process) for process in here] == [0, 0], (alone / "0.txt").read_text()[-3000:]
    assert {weights for _, weights in told(alone)} == {first[1]}, "the same as on one host, bit for bit"
    for name in ("curves.csv", "out/model.safetensors"):
        assert (toy.root / name).read_bytes() == (alone / name).read_bytes()
