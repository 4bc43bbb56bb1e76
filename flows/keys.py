"""The random key of a checkout: only who can read its file drives this project's servers, and only who knows it is one of them."""

import base64
import contextlib
import hashlib
import hmac
import os
import secrets
import urllib.parse
import urllib.request
from pathlib import Path

PLACE = Path("artifacts/prefect/key")
USER = "k15"
"""The user name that goes with the key where a page or an interface asks for one."""
PROOF = "/k15/proof"
"""Where a server of the project answers `?nonce=...` with `proof`."""


class KeyFileError(RuntimeError):
    """The file of the key cannot be trusted; the message says what to do."""


def key(root: Path) -> str:
    """The checkout's key, made where there is none. Raises KeyFileError when another user owns its file or can read it."""
    path = root / PLACE
    if not path.exists():
        _make(path)
    found = path.stat()
    if found.st_uid != os.geteuid() or found.st_mode & 0o077:
        raise KeyFileError(f"{path}: other users own it or can read it; remove it (and `make down`), then a new one is made")
    return path.read_text(encoding="ascii")


def auth(root: Path) -> str:
    """What Prefect's page asks for, and its clients send: `user:key`."""
    return f"{USER}:{key(root)}"


def basic(login: str) -> str:
    """The value of an Authorization header (RFC 7617) for `user:password`."""
    return "Basic " + base64.b64encode(login.encode()).decode()


def proof(secret: str, nonce: str, port: int) -> str:
    """What only a holder of the key can answer; the port is part of it, so that nobody can hand on the answer of a real server."""
    return hmac.new(secret.encode(), f"{nonce} {port}".encode(), hashlib.sha256).hexdigest()


def proven(root: Path, url: str, timeout: float) -> bool:
    """Whether a server that knows the checkout's key answers at `url` within `timeout` seconds. The key itself is not sent."""
    parts, nonce = urllib.parse.urlsplit(url), secrets.token_hex(16)
    with contextlib.suppress(OSError, ValueError, KeyFileError):
        asked = f"{parts.scheme}://{parts.netloc}{PROOF}?nonce={nonce}"
        with urllib.request.build_opener(urllib.request.ProxyHandler({}), _NoRedirect).open(asked, timeout=timeout) as answer:
            expected = proof(key(root), nonce, parts.port or 80)
            return hmac.compare_digest(answer.read(len(expected) + 1), expected.encode())
    return False


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Follows no redirection: an answer from another address proves nothing."""

    def redirect_request(self, *_: object) -> None:
        return None


def _make(path: Path) -> None:
    """Write a new key beside and link it into place: of two processes that do so one wins, and both read that one."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    beside = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
        file.write(secrets.token_urlsafe(32))
        file.flush()
        os.fsync(file.fileno())
    with contextlib.suppress(FileExistsError):
        os.link(beside, path)
    beside.unlink()
