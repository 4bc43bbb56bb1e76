"""The key of a checkout, and how a server proves that it knows it."""

import json
import stat
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from flows import keys
from flows import server as local


class Stranger(BaseHTTPRequestHandler):
    """A server of somebody else's at an address that was ours once: it is healthy, and answers a proof with what it was told to."""

    answer = b"0" * 64
    seen: list[str]

    def do_GET(self) -> None:
        self.seen.append(f"{self.path} {self.headers.get('Authorization')}")
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.answer)))
        self.end_headers()
        self.wfile.write(self.answer)

    def log_message(self, *_: object) -> None:
        return


@pytest.fixture
def stranger() -> Iterator[ThreadingHTTPServer]:
    Stranger.seen = []
    with ThreadingHTTPServer(("127.0.0.1", 0), Stranger) as found:
        threading.Thread(target=found.serve_forever, daemon=True).start()
        yield found
        found.shutdown()


def test_a_key_is_random_kept_and_for_the_user_only(tmp_path: Path) -> None:
    made = keys.key(tmp_path / "one")
    assert keys.key(tmp_path / "one") == made != keys.key(tmp_path / "other")
    assert len(made) == 43
    assert stat.S_IMODE((tmp_path / "one" / keys.PLACE).stat().st_mode) == 0o600
    assert keys.auth(tmp_path / "one") == f"k15:{made}"


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o602])
def test_a_key_that_others_can_read_is_none(tmp_path: Path, mode: int) -> None:
    keys.key(tmp_path)
    (tmp_path / keys.PLACE).chmod(mode)
    with pytest.raises(keys.KeyFileError, match="remove it"):
        keys.key(tmp_path)


def test_many_starts_at_once_make_one_key(tmp_path: Path) -> None:
    found: list[str] = []
    threads = [threading.Thread(target=lambda: found.append(keys.key(tmp_path))) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 16
    assert len({*found}) == 1
    assert [path.name for path in (tmp_path / keys.PLACE).parent.iterdir()] == ["key"]


def test_a_stale_address_that_somebody_else_answers_is_no_server_of_ours(
    tmp_path: Path, stranger: ThreadingHTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    url = f"http://127.0.0.1:{stranger.server_port}/api"
    state = tmp_path / "artifacts/prefect/server.json"
    keys.key(tmp_path)
    state.write_text(json.dumps({"url": url, "pid": 1, "created": 1.0}))
    assert local.alive(url), "it is healthy"
    assert local.api_url(tmp_path) == url
    assert local.answering(tmp_path) is None
    assert not any(keys.key(tmp_path) in seen for seen in Stranger.seen), "the key was told to a stranger"


def test_the_answer_of_a_real_server_handed_on_proves_nothing(
    tmp_path: Path, stranger: ThreadingHTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stranger who asks the real server for its proof gets that of another port."""
    monkeypatch.setattr(keys.secrets, "token_hex", lambda _: "abc")
    url = f"http://127.0.0.1:{stranger.server_port}/api"
    Stranger.answer = keys.proof(keys.key(tmp_path), "abc", 4200).encode()
    assert not keys.proven(tmp_path, url, timeout=2)
    Stranger.answer = keys.proof(keys.key(tmp_path), "abc", stranger.server_port).encode()
    assert keys.proven(tmp_path, url, timeout=2)


def test_nothing_that_is_no_answer_proves_anything(tmp_path: Path) -> None:
    for url in ("http://127.0.0.1:9/api", "no address", "", "file:///etc/passwd"):
        assert not keys.proven(tmp_path, url, timeout=0.5)
