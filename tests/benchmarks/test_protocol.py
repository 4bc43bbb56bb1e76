"""What is recorded beside a score: the data by its hash, as `sha256sum` would say, its revision, and the code that scored."""

import hashlib
import json
import shutil
import subprocess
from pathlib import Path

import pytest

from stages.benchmarks import protocol
from stages.benchmarks.protocol import data_read, described, downloaded_revision, scorer
from stages.benchmarks.registry import BENCHMARKS

BENCH = Path("../shared/bench")
MMLU = BENCHMARKS["mmlu"]
COMMIT = "0123456789abcdef0123456789abcdef01234567"


def test_one_file_has_its_own_hash(tmp_path: Path) -> None:
    (tmp_path / "test.jsonl").write_bytes(b"abc")
    found = data_read(MMLU, [tmp_path / "test.jsonl"])
    assert (found["files"], found["sha256"]) == (["test.jsonl"], hashlib.sha256(b"abc").hexdigest())
    assert (found["hub_id"], found["revision"]) == ("cais/mmlu", None)
    assert data_read(MMLU, [])["sha256"] is None


def test_several_files_have_the_hash_of_their_checksums(tmp_path: Path) -> None:
    (tmp_path / "a/test").mkdir(parents=True)
    files = [tmp_path / "a/test/b.csv", tmp_path / "a/test/a.csv", tmp_path / "a/c.csv"]
    for number, file in enumerate(files):
        file.write_text(str(number))
    found = data_read(MMLU, files)
    assert found["files"] == ["c.csv", "test/a.csv", "test/b.csv"]
    listing = subprocess.run(["sha256sum", *found["files"]], cwd=tmp_path / "a", capture_output=True, check=True).stdout
    assert found["sha256"] == hashlib.sha256(listing).hexdigest()
    assert data_read(MMLU, files[::-1]) == found


def test_the_revision_is_the_one_that_the_hubs_client_noted(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    files = [tmp_path / f"data/{name}.parquet" for name in "ab"]
    notes = [tmp_path / f".cache/huggingface/download/data/{name}.parquet.metadata" for name in "ab"]
    for file, note in zip(files, notes, strict=True):
        file.write_bytes(b"")
        note.parent.mkdir(parents=True, exist_ok=True)
        note.write_text(f"{COMMIT}\netag\n1.0\n")
    assert downloaded_revision(files) == COMMIT
    assert data_read(MMLU, files)["revision"] == COMMIT
    notes[0].write_text(COMMIT[::-1] + "\n")
    assert downloaded_revision(files) is None, "of two revisions"
    notes[0].unlink()
    assert downloaded_revision(files) is None, "one of them is not known"
    notes[1].write_text("main\n")
    assert downloaded_revision(files[1:]) is None, "no commit"


@pytest.mark.skipif(not BENCH.exists(), reason=f"{BENCH} is not here (published benchmark files)")
@pytest.mark.parametrize("name", [name for name, benchmark in BENCHMARKS.items() if benchmark.content is not None])
def test_the_files_that_this_code_was_checked_with_are_known_by_their_hash(name: str, tmp_path: Path) -> None:
    benchmark = BENCHMARKS[name]
    assert data_read(benchmark, benchmark.read_answers(BENCH).files)["as_checked"] is True
    (tmp_path / "test.jsonl").write_text("another")
    assert data_read(benchmark, [tmp_path / "test.jsonl"])["as_checked"] is False


def test_a_set_without_a_pinned_commit_is_known_by_its_content_and_says_so(tmp_path: Path) -> None:
    """Of Codeforces the contests are the user's own."""
    unpinned = {name: benchmark for name, benchmark in BENCHMARKS.items() if benchmark.revision is None}
    assert {name: benchmark.content is not None for name, benchmark in unpinned.items()} == {
        "cluewsc": True, "codeforces": False, "mathvision": True,
    }  # fmt: skip
    for benchmark in unpinned.values():
        assert "no commit is pinned here, so name one" in benchmark.how_to_get(tmp_path)
        assert data_read(benchmark, [])["pinned"] is None


def test_the_scorers_code_is_that_of_benchmarks_and_verifiers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = scorer()
    assert list(found) == ["code", "latex2sympy2-extended", "mpmath", "sympy", "langdetect"]
    root = Path(protocol.__file__).parents[1]
    for folder in ("benchmarks", "verifiers"):
        shutil.copytree(root / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(protocol, "_STAGES", tmp_path)
    assert scorer.__wrapped__() == found, "wherever it lies"
    with (tmp_path / "verifiers/boxes.py").open("a") as file:
        file.write("\n")
    assert scorer.__wrapped__()["code"] != found["code"]


def test_what_is_described_is_plain_json() -> None:
    for benchmark in BENCHMARKS.values():
        found = described(benchmark, data_read(benchmark, []))
        assert json.loads(json.dumps(found)) == found
        assert found["prompt"] == benchmark.prompt_source
