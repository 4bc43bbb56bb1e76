"""Work in chunks: shared among ranks, kept on disk, the same for any number of ranks."""

import threading
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from stages.data.files import DataError
from stages.rollout.chunks import Chunks
from stages.run import ranks


def squares(start: int, some: Sequence[int]) -> list[list[int]]:
    return [[start, item * item] for item in some]


ROWS = [[0, 0], [0, 1], [0, 4], [3, 9], [3, 16], [3, 25], [6, 36]]


def test_rows_stand_in_the_order_of_the_items_and_progress_is_told(tmp_path: Path) -> None:
    told: list[tuple[int, int, str]] = []
    chunks = Chunks(tmp_path / "state", lambda *what: told.append(what))
    assert chunks.rows("a", range(7), 3, "items", squares) == ROWS
    assert told == [(3, 7, "items"), (6, 7, "items"), (7, 7, "items")]
    assert chunks.rows("none", [], 3, "items", squares) == []
    chunks.drop()
    assert not (tmp_path / "state").exists()


def test_what_is_on_disk_is_not_worked_on_again(tmp_path: Path) -> None:
    seen: list[int] = []

    def work(start: int, some: Sequence[int]) -> list[list[int]]:
        if start == 6:
            raise KeyboardInterrupt
        seen.append(start)
        return squares(start, some)

    with pytest.raises(KeyboardInterrupt):
        Chunks(tmp_path).rows("a", range(7), 3, "items", work)
    assert seen == [0, 3]
    again: list[int] = []
    assert Chunks(tmp_path).rows("a", range(7), 3, "items", lambda start, some: again.append(start) or squares(start, some)) == ROWS
    assert again == [6]
    assert Chunks(tmp_path).rows("b", range(1), 3, "items", squares) == [[0, 0]], "another name, other chunks"


def test_whatever_a_model_writes_survives(tmp_path: Path) -> None:
    """Half a surrogate pair, as an endpoint's JSON may hold it, is no UTF-8."""
    texts = ["\ud800", "\x00", "é\u2028"]
    for _ in range(2):
        assert Chunks(tmp_path).rows("a", texts, 2, "items", lambda _, some: list(some)) == texts


@pytest.mark.parametrize("content", ["[[0, 0], [0", "[[0, 0]]", "{}", "\x00"])
def test_a_chunk_that_is_not_what_was_written_is_named(tmp_path: Path, content: str) -> None:
    Chunks(tmp_path).rows("a", range(7), 3, "items", squares)
    (tmp_path / "a/000000003.json").write_text(content)
    with pytest.raises(DataError, match=r"a/000000003\.json: .*--force"):
        Chunks(tmp_path).rows("a", range(7), 3, "items", squares)


def test_a_rank_takes_its_own_chunks_and_waits_for_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "1")
    own: list[int] = []
    found: list[list[list[int]]] = []

    def second() -> None:
        found.append(
            Chunks(tmp_path).rows("a", range(7), 3, "items", lambda start, some: own.append(start) or squares(start, some))
        )

    thread = threading.Thread(target=second)
    thread.start()
    for _ in range(100):
        if (tmp_path / "a/000000003.json").exists():
            break
        time.sleep(0.05)
    assert (own, found) == ([3], []), "it waits"
    monkeypatch.setenv("RANK", "0")
    assert ranks.rank() == 0
    mine: list[int] = []
    assert Chunks(tmp_path).rows("a", range(7), 3, "items", lambda start, some: mine.append(start) or squares(start, some)) == ROWS
    thread.join(10)
    assert (mine, own, found) == ([0, 6], [3], [ROWS])
