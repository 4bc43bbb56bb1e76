"""DVC on a real repository: a remote and a clone, linked outputs, and whoever is killed, whenever."""

import hashlib
import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
from toy_repository import Toy

from flows import graph


def text(seed: int, number: int) -> str:
    """What the toy `halves` writes into a file."""
    return f"{seed} {number} first\n{seed} {number} second\n"


WHOLE = {str(number): text(0, number) for number in range(200)}


def git(toy: Toy, *words: str) -> None:
    subprocess.run(["git", *words], cwd=toy.root, env=toy.environ, check=True, capture_output=True)


def dvc(toy: Toy, *words: str) -> str:
    done = toy.call("-m", "dvc", *words)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def objects(root: Path) -> list[Path]:
    return sorted(path for path in (root / ".dvc/cache/files/md5").rglob("*") if path.is_file())


def sound(root: Path) -> None:
    """Each object of the cache is what its name says."""
    found = objects(root)
    assert found
    named = {path.parent.name + path.stem: path for path in found}
    assert [path for name, path in named.items() if hashlib.md5(path.read_bytes()).hexdigest() != name] == []


@pytest.fixture
def halves(toy: Toy) -> Toy:
    """A stage that writes its output in place, and can be held in the middle of the last file."""
    graph = "stages:\n  halves:\n    cmd: python -m toys.halves\n    params: [seed]\n    outs: [artifacts/halves]\n"
    (toy.root / "dvc.yaml").write_text(graph)
    (toy.root / ".gitignore").write_text((toy.root / ".gitignore").read_text() + "hold\npid.txt\n")
    git(toy, "add", ".")
    git(toy, "commit", "--quiet", "--message", "halves")
    return toy


def content(root: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in (root / "artifacts/halves").iterdir()}


def wait_for(path: Path, seconds: float = 60) -> None:
    until = time.monotonic() + seconds
    while not path.exists():
        assert time.monotonic() < until, f"no {path} within {seconds} s"
        time.sleep(0.02)


def cloned(toy: Toy, place: Path) -> Toy:
    """A clone of what is committed, with nothing in its cache."""
    git(toy, "add", ".")
    git(toy, "commit", "--quiet", "--allow-empty", "--message", "run")
    git(toy, "clone", "--quiet", ".", str(place))
    assert not (place / "artifacts").exists()
    return Toy(place, toy.environ)


def test_what_one_pushes_another_pulls(toy: Toy, tmp_path_factory: pytest.TempPathFactory) -> None:
    """One command names the remote; a clone has the outputs without running a stage."""
    dvc(toy, "repro")
    dvc(toy, "remote", "add", "--default", "team", str(tmp_path_factory.mktemp("remote")))
    dvc(toy, "push")
    clone = cloned(toy, tmp_path_factory.mktemp("clones") / "clone")
    dvc(clone, "pull")
    assert (clone.root / "artifacts/made.txt").read_text() == "0"
    assert dvc(clone, "status") == "Data and pipelines are up to date.\n"
    assert dvc(clone, "status", "--cloud").startswith("Cache and remote 'team' are in sync.")
    dvc(clone, "repro")
    assert clone.ran() == []


def test_an_experiment_is_shared_through_git_and_the_remote(toy: Toy, tmp_path_factory: pytest.TempPathFactory) -> None:
    """`dvc exp push` and `pull`: another checkout applies it and repeats nothing, although no branch holds it."""
    dvc(toy, "remote", "add", "--default", "team", str(tmp_path_factory.mktemp("remote")))
    dvc(toy, "repro")
    bare = tmp_path_factory.mktemp("origin")
    git(toy, "init", "--quiet", "--bare", str(bare))
    git(toy, "remote", "add", "origin", str(bare))
    clone = cloned(toy, tmp_path_factory.mktemp("clones") / "clone")
    dvc(toy, "exp", "run", "--quiet", "--name", "heavier", "--set-param", "merge.weight=0.75")
    dvc(toy, "exp", "push", "origin", "heavier")
    dvc(clone, "exp", "pull", str(bare), "heavier")
    dvc(clone, "exp", "apply", "heavier")
    dvc(clone, "pull")
    clone.ran()
    dvc(clone, "repro")
    assert clone.ran() == []
    assert json.loads((clone.root / "results/used.json").read_text()) == {"value": 0.75}


def test_checkouts_on_one_disk_share_the_run_cache(toy: Toy, tmp_path_factory: pytest.TempPathFactory) -> None:
    """A stage that one ran, another does not run, though neither dvc.lock nor results came to it: the key is what it reads.
    (`dvc push --run-cache` of DVC 3.67 leaves out the objects of results that lie in git, so a remote alone does not do this.)"""
    clone = cloned(toy, tmp_path_factory.mktemp("clones") / "clone")
    dvc(toy, "repro")
    dvc(clone, "cache", "dir", "--local", str(toy.root / ".dvc/cache"))
    toy.ran()
    dvc(clone, "repro")
    assert clone.ran() == []
    assert (clone.root / "artifacts/made.txt").read_text() == "0"
    assert json.loads((clone.root / "results/used.json").read_text()) == {"value": 0.5}


def test_gc_keeps_what_commits_need(halves: Toy) -> None:
    """`dvc gc --all-commits`, after another seed was committed: both runs come back from the cache."""
    params = halves.root / "params.yaml"
    for seed in (0, 5):
        params.write_text(params.read_text().replace("seed: 0 ", f"seed: {seed} "))
        dvc(halves, "repro")
        git(halves, "add", ".")
        git(halves, "commit", "--quiet", "--message", f"seed {seed}")
    dvc(halves, "gc", "--all-commits", "--force")
    (halves.root / "pid.txt").unlink()
    git(halves, "checkout", "--quiet", "HEAD~1")
    dvc(halves, "checkout")
    assert content(halves.root) == WHOLE
    assert not (halves.root / "pid.txt").exists()


def test_outputs_are_links_where_the_disk_can(halves: Toy) -> None:
    """A model is stored once: its file shares blocks or its inode with the cache."""
    dvc(halves, "repro")
    assert dvc(halves, "config", "cache.type") == "hardlink,reflink,copy\n"
    mine = halves.root / "artifacts/halves/0"
    digest = hashlib.md5(mine.read_bytes()).hexdigest()
    cached = halves.root / ".dvc/cache/files/md5" / digest[:2] / digest[2:]
    if mine.stat().st_ino != cached.stat().st_ino:
        probe = ["cp", "--reflink=always", str(cached), str(halves.root / "probe")]
        assert subprocess.run(probe, capture_output=True, check=False).returncode == 0, "neither hard link nor reflink"


def test_a_stage_that_writes_over_a_linked_output_leaves_the_cache_whole(halves: Toy) -> None:
    """It opens the same paths for writing; DVC has removed the links before, so the first run's objects stay as they were."""
    dvc(halves, "repro")
    before = {path: path.read_bytes() for path in objects(halves.root)}
    params = halves.root / "params.yaml"
    old = params.read_text()
    params.write_text(old.replace("seed: 0 ", "seed: 5 "))
    dvc(halves, "repro")
    assert content(halves.root)["0"] == text(5, 0)
    assert {path: path.read_bytes() for path in before} == before
    sound(halves.root)
    params.write_text(old)
    (halves.root / "pid.txt").unlink()
    dvc(halves, "repro")
    assert content(halves.root) == WHOLE
    assert not (halves.root / "pid.txt").exists(), "it came out of the cache"


@pytest.mark.parametrize("victim", ["stage", "dvc"])
def test_a_half_written_output_is_believed_by_nobody(halves: Toy, victim: str) -> None:
    """kill -9 in the middle of the last of 200 files: DVC calls it changed, stored nothing, and the next repro makes it whole."""
    (halves.root / "hold").touch()
    with halves.start("-m", "dvc", "repro") as repro:
        wait_for(halves.root / "pid.txt")
        stage = int((halves.root / "pid.txt").read_text())
        os.kill(stage if victim == "stage" else repro.pid, signal.SIGKILL)
        if victim == "dvc":
            repro.wait(30)
            os.kill(stage, signal.SIGKILL)  # this toy runs without flows.stage, which would have ended it
        assert repro.wait(60) != 0
    assert content(halves.root)["199"] == "0 199 first\n"
    assert not (halves.root / "dvc.lock").exists()
    assert json.loads(dvc(halves, "status", "--json")) != {}
    (halves.root / "hold").unlink()
    dvc(halves, "repro")
    assert content(halves.root) == WHOLE
    assert json.loads(dvc(halves, "status", "--json")) == {}
    sound(halves.root)


def test_dvc_killed_while_it_stores_an_output_stores_no_half(halves: Toy) -> None:
    """The stage has ended; DVC is killed at six moments of its own work: every object is whole, and the next repro ends well.
    Killed while it rewrites dvc.lock, which it does in place, it leaves a file that it refuses: git has the last whole one."""
    begun = time.monotonic()
    dvc(halves, "repro")
    whole = time.monotonic() - begun
    git(halves, "add", ".")
    git(halves, "commit", "--quiet", "--message", "run")
    params = halves.root / "params.yaml"
    old = params.read_text()
    for seed in range(1, 7):
        params.write_text(old.replace("seed: 0 ", f"seed: {seed} "))
        (halves.root / "pid.txt").unlink()
        with halves.start("-m", "dvc", "repro") as repro:
            wait_for(halves.root / "pid.txt")
            time.sleep(whole * seed / 12)
            repro.kill()
        sound(halves.root)
        graph.mend(halves.root)  # as the pipeline does before it asks DVC
        if "dvc.lock" in halves.call("-m", "dvc", "status").stderr:
            git(halves, "checkout", "dvc.lock")
        dvc(halves, "repro")
        assert content(halves.root)["199"] == text(seed, 199)
        assert json.loads(dvc(halves, "status", "--json")) == {}
        sound(halves.root)


@pytest.mark.parametrize("left", ["", '{"write": {'], ids=["empty", "cut"])
def test_a_list_of_readers_that_is_not_whole_stops_nothing(toy: Toy, left: str) -> None:
    """What DVC leaves when it is killed while it writes .dvc/tmp/rwlock; it then runs no stage itself."""
    dvc(toy, "repro")
    (toy.root / "params.yaml").write_text((toy.root / "params.yaml").read_text().replace("weight: 0.5", "weight: 0.75"))
    (toy.root / ".dvc/tmp/rwlock").write_text(left)
    assert "JSON structure is corrupted" in toy.call("-m", "dvc", "repro").stderr
    assert graph.changes(toy.root, ["make", "use"]) == {"use": "changed deps: params.yaml: merge"}
    dvc(toy, "repro")


@pytest.mark.parametrize("last", ["", "md5: "], ids=["empty", "cut"])
def test_a_dvc_lock_that_is_not_whole_is_named_and_costs_no_work(toy: Toy, last: str) -> None:
    """What DVC leaves when it is killed while it writes dvc.lock: the pipeline says what to do, and that repeats no stage."""
    dvc(toy, "repro")
    git(toy, "add", ".")
    git(toy, "commit", "--quiet", "--message", "run")
    params, lock = toy.root / "params.yaml", toy.root / "dvc.lock"
    params.write_text(params.read_text().replace("weight: 0.5", "weight: 0.75"))
    dvc(toy, "repro")
    whole = lock.read_text()
    lock.write_text(whole[: whole.rfind(last) + 2] if last else "")
    toy.ran()
    stopped = toy.call("-m", "flows.pipeline")
    assert stopped.returncode == 2
    assert stopped.stderr.startswith("error: dvc.lock is not whole")
    assert "`git checkout dvc.lock`" in stopped.stderr
    git(toy, "checkout", "dvc.lock")
    dvc(toy, "repro")
    assert toy.ran() == []
    assert json.loads((toy.root / "results/used.json").read_text()) == {"value": 0.75}


def test_two_repros_at_once_corrupt_nothing(halves: Toy) -> None:
    """The second is refused by name while the first runs; afterwards all is as one alone would leave it."""
    (halves.root / "hold").touch()
    with halves.start("-m", "dvc", "repro") as first:
        wait_for(halves.root / "pid.txt")
        second = halves.call("-m", "dvc", "repro")
        assert second.returncode != 0
        assert "is busy" in second.stderr
        (halves.root / "hold").unlink()
        assert first.wait(60) == 0
    assert content(halves.root) == WHOLE
    assert json.loads(dvc(halves, "status", "--json")) == {}
    sound(halves.root)
