"""A big checkpoint is hashed while no lock is held: neither DVC's, nor that of the GPU."""

import fcntl
import subprocess
from pathlib import Path

import pytest
from toy_repository import Toy

from flows import graph, hashing, stage
from stages.run.phases import hand_on

GRAPH = """
stages:
  train:
    cmd: python -m flows.stage train -- toys.big_trained
    params: [seed]
    outs: [artifacts/models/long_rl]
"""


@pytest.fixture
def trained(toy: Toy) -> Toy:
    """A stage whose checkpoint is just big enough."""
    (toy.root / "dvc.yaml").write_text(GRAPH)
    for words in (["add", "."], ["commit", "--quiet", "--message", "train"]):
        subprocess.run(["git", *words], cwd=toy.root, env=toy.environ, check=True)
    return toy


def known(toy: Toy, name: str = "long_rl") -> bool:
    """Whether DVC answers with the checkpoint's hash from its state, without reading the file."""
    code = (
        "from dvc.repo import Repo\n"
        "with Repo('.') as repo:\n"
        f"    path = repo.root_dir + '/artifacts/models/{name}/model.safetensors'\n"
        "    print(repo.state.get(path, repo.cache.local.fs)[1] is not None)\n"
    )
    done = toy.call("-c", code)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip() == "True"


@pytest.mark.parametrize("tracking", ["on", "off"])
def test_dvc_has_the_hash_before_it_commits(trained: Toy, tracking: str) -> None:
    """The stage alone, without DVC around it: when it has ended, the hash is in DVC's state."""
    extra = {"K15_TRACKING": tracking, "TOY_BYTES": str(hashing.BIG)}
    done = trained.call("-m", "flows.stage", "train", "--", "toys.big_trained", **extra)
    assert done.returncode == 0, done.stderr
    assert known(trained)


def test_a_small_one_is_left_to_dvc(trained: Toy) -> None:
    trained.call("-m", "flows.stage", "train", "--", "toys.big_trained", TOY_BYTES="1000")
    assert not known(trained)


def test_the_gpu_is_free_by_then(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lock, found = tmp_path / "gpu.lock", list[bool]()
    monkeypatch.setattr(stage, "GPU_DEVICE", tmp_path)
    monkeypatch.setenv("K15_GPU_LOCK", str(lock))
    monkeypatch.setenv("K15_TRACKING", "off")
    monkeypatch.setattr(stage, "hash_checkpoints", lambda *_: found.append(free(lock)))
    assert stage.execute(stage.Stage("sft@long", 1, "this", ()), tmp_path) == 0
    assert found == [True]


def free(lock: Path) -> bool:
    with lock.open("r+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True


def test_a_stage_by_hand_is_no_error(toy: Toy) -> None:
    """Under a name that dvc.yaml does not know."""
    done = toy.call("-m", "flows.stage", "mine", "--", "toys.big_trained", TOY_BYTES=str(hashing.BIG))
    assert done.returncode == 0, done.stderr


def test_the_hashes_of_a_checkpoint_that_is_handed_on_are_known(trained: Toy) -> None:
    """Weights of any size cost nothing: no file is read again."""
    done = trained.call("-m", "flows.stage", "train", "--", "toys.big_trained", K15_TRACKING="off", TOY_BYTES=str(hashing.BIG))
    assert done.returncode == 0, done.stderr
    models = trained.root / "artifacts/models"
    (models / "long_rl/config.json").touch()
    hand_on(models / "long_rl", models / "short_rl", "rl.short")
    (trained.root / "dvc.yaml").write_text(GRAPH + "  hand: {cmd: 'true', outs: [artifacts/models/short_rl]}\n")
    assert known(trained)
    assert not known(trained, "short_rl")
    graph.lend_hashes(trained.root, "hand")
    assert known(trained, "short_rl")
