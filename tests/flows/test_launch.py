"""Commands and environments of ranks."""

import json
import sys
from pathlib import Path

import pytest
from toy_repository import Toy

from flows import launch


def test_one_process_is_plain_python_with_the_rank_environment() -> None:
    assert launch.command("m", ["--a", "1"], 1, {}) == [sys.executable, "-u", "-m", "flows.begin", "m", "--a", "1"]
    made = launch.environment(1, {"X": "y"})
    assert {name: made[name] for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK", "X")} == {
        "RANK": "0",
        "WORLD_SIZE": "1",
        "LOCAL_RANK": "0",
        "X": "y",
    }
    assert 1024 <= int(made["MASTER_PORT"]) < 65536


def test_several_processes_get_no_rank_from_us() -> None:
    words = launch.command("m", ["--a"], 4, {})
    assert words[1:3] == ["-m", "deepspeed.launcher.runner"]
    assert words[words.index("--num_gpus") + 1] == "4"
    assert words[-4:] == ["--module", "flows.rank", "m", "--a"]
    assert "RANK" not in launch.environment(4, {})


def test_a_schedulers_launcher_takes_our_place() -> None:
    given = {"K15_LAUNCHER": "srun torchrun --nnodes 2"}
    assert launch.command("m", ["x"], 2, given) == ["srun", "torchrun", "--nnodes", "2", "-m", "flows.rank", "m", "x"]
    assert "RANK" not in launch.environment(2, given)


def test_a_stage_of_one_process_is_not_started_on_every_node() -> None:
    given = {"K15_LAUNCHER": "srun torchrun --nnodes 2"}
    assert launch.command("stages.collect", ["x"], 1, given) == [sys.executable, "-u", "-m", "flows.begin", "stages.collect", "x"]
    assert launch.environment(1, given)["WORLD_SIZE"] == "1"


def test_a_hostfile_must_agree_with_the_process_count(tmp_path: Path) -> None:
    hosts = tmp_path / "hosts"
    hosts.write_text("# two nodes\nnode1 slots=8\n\nnode2 slots=4\n")
    assert launch.hostfile_slots(hosts) == 12
    words = launch.command("m", [], 12, {"K15_HOSTFILE": str(hosts)})
    assert words[words.index("--hostfile") + 1] == str(hosts)
    with pytest.raises(launch.LaunchError, match=r"12 slots in all, but hardware.processes is 16"):
        launch.command("m", [], 16, {"K15_HOSTFILE": str(hosts)})
    hosts.write_text("node1 slots=8\nnode2\n")
    with pytest.raises(launch.LaunchError, match=r"hosts:2: 'node2' is not 'HOST slots=N'"):
        launch.hostfile_slots(hosts)
    with pytest.raises(launch.LaunchError, match="no such file"):
        launch.hostfile_slots(tmp_path / "absent")


@pytest.mark.slow
def test_deepspeeds_launcher_starts_two_ranks(toy: Toy) -> None:
    done = toy.call("-m", "flows.stage", "ranks", "--processes", "2", "--", "toys.ranks", "--init", "a b")
    assert done.returncode == 0, done.stderr
    seen = [json.loads((toy.root / f"rank{rank}.json").read_text()) for rank in range(2)]
    assert seen == [["0", "0", "2", "127.0.0.1", "--init", "a b"], ["1", "1", "2", "127.0.0.1", "--init", "a b"]]


def test_torchrun_as_launcher(toy: Toy) -> None:
    launcher = f"{sys.executable} -m torch.distributed.run --nnodes 1 --nproc-per-node 2 --master-port {launch.free_port()}"
    done = toy.call("-m", "flows.stage", "ranks", "--processes", "2", "--", "toys.ranks", K15_LAUNCHER=launcher)
    assert done.returncode == 0, done.stderr
    assert json.loads((toy.root / "rank1.json").read_text())[:3] == ["1", "1", "2"]
