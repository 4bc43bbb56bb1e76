"""From the rows of a source to problems: exclusions with file and line, splits by the question's hash, quotas, pictures."""

import hashlib
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from stages.data.display import no_label
from stages.data.images import PictureError, inside, normalise, pixel_digest
from stages.data.licences import forbidden
from stages.data.records import Finding, Problem, Split, VerifierName
from stages.data.wording import normalised
from stages.problems.drafts import Draft, Row, RowError
from stages.problems.free_answers import freed
from stages.problems.rows import Located
from stages.verifiers.code_rewards import hidden_tests
from stages.verifiers.normal_forms import text_form
from stages.verifiers.verdict import answerable_all, kind_of, verify

Adapter = Callable[[Row, str], Draft]
BATCH = 4096
"""Rows whose answers are checked at once."""
INSIDE = ".inside"
"""Folder beside the normalised pictures where those that lie inside a file wait, on disk instead of in memory."""


@dataclass(frozen=True, slots=True)
class Placed:
    """A readable row, where it stands, and the place of its question in the order that splits and quotas follow."""

    id: str
    where: str
    draft: Draft
    order: float
    """In [0, 1), a hash of the normalised question: equal questions have equal orders, hence the same split."""
    freed: str | None
    """How multiple choice became a free answer."""


@dataclass
class Loaded:
    """What one source gave."""

    problems: list[Problem] = field(default_factory=list)
    excluded: list[Finding] = field(default_factory=list)
    changed: list[Finding] = field(default_factory=list)
    """What was kept in another form than it came: pictures resized, multiple choice made free."""
    rows: int = 0
    beyond_quota: int = 0
    """Readable rows of no split, because the quotas of params.yaml were full."""


@dataclass(frozen=True)
class Reader:
    """How the rows of one source become problems."""

    read_row: Adapter
    rows: Iterator[Located]
    title: str
    """What stands for the source in the ids of rows that have none."""
    folder: Path
    """Where relative paths of pictures start."""
    family: str
    quotas: dict[Split, int]
    """Problems wanted of each split; the hash range of a split is proportional to its quota."""
    images: Path
    """Folder that normalised pictures are written into."""
    max_pixels: int
    workers: int
    free: bool = False
    """Whether multiple choice becomes a free answer where that is sound."""

    def load(self) -> Loaded:
        """Read, split, check and keep. Raises DataError when the source is absent."""
        loaded = Loaded()
        splits: dict[Split, list[Placed]] = {split: [] for split in self.quotas}
        try:
            for placed in sorted(self._rows(loaded), key=lambda row: row.order):
                splits[split_of(placed.order, self.quotas)].append(placed)
            for split in list(splits):
                self._fill(split, splits.pop(split), loaded)
        finally:
            shutil.rmtree(self.images / INSIDE, ignore_errors=True)
        return loaded

    def _rows(self, loaded: Loaded) -> Iterator[Placed]:
        """The readable rows of a set that may be trained on; the others become findings."""
        seen: dict[str, str] = {}
        for where, row in self.rows:
            loaded.rows += 1
            identity = ""
            try:
                if isinstance(row, RowError):
                    raise row
                draft = self.read_row(row, self.family)
                identity = f"{self.family}-{draft.id or self.title + '-' + where.rpartition(':')[2]}"
                self._admit_row(identity, draft, where, seen)
            except RowError as error:
                loaded.excluded.append(Finding(id=identity, where=where, rule=error.rule, reason=str(error)))
                continue
            if isinstance(draft.image, bytes):
                draft = replace(draft, image=self._put_aside(draft.image, loaded.rows))
            draft, change = (self.free and freed(draft)) or (draft, None)
            yield Placed(identity, where, draft, order_of(draft.question), change)

    def _put_aside(self, content: bytes, number: int) -> Path:
        """A picture that came inside its row, as a file until the row is kept or not."""
        path = self.images / INSIDE / str(number)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return path

    @staticmethod
    def _admit_row(identity: str, draft: Draft, where: str, seen: dict[str, str]) -> None:
        for name in ("id", "source", "licence", "domain", "discipline"):
            if (text := getattr(draft, name)) and (reason := no_label(text)):
                raise RowError("malformed row", f"the field {name!r} is a label, and {reason}: {text[:80]!r}")
        if reason := forbidden(draft.source, draft.id or "", licence=draft.licence):
            raise RowError("forbidden set", reason)
        if identity in seen:
            raise RowError("duplicate id", f"the id stands at {seen[identity]} already")
        seen[identity] = where

    def _fill(self, split: Split, rows: list[Placed], loaded: Loaded) -> None:
        """Keep rows in order until the quota is full; answers are checked in batches by the verifier's worker
        processes."""
        wanted = self.quotas[split]
        seen: dict[bytes, tuple[str, str]] = {}
        kept = 0
        while kept < wanted and rows:
            batch = rows[: min(wanted - kept, BATCH)]
            del rows[: len(batch)]  # so that no row is in memory twice
            reasons = answerable_all([(row.draft.verifier, row.draft.answer) for row in batch], self.workers)
            for row, reason in zip(batch, reasons, strict=True):
                try:
                    if reason is not None:
                        raise RowError("unparseable answer", reason)
                    loaded.problems.append(self._problem(row, split, seen, loaded))
                    kept += 1
                except RowError as error:
                    loaded.excluded.append(Finding(id=row.id, where=row.where, rule=error.rule, reason=str(error)))
        loaded.beyond_quota += len(rows)

    def _problem(self, row: Placed, split: Split, seen: dict[bytes, tuple[str, str]], loaded: Loaded) -> Problem:
        image = None if row.draft.image is None else self._picture(row, row.draft.image, loaded)
        identity = question_digest(row.draft.question, image)
        if identity in seen:
            where, answer = seen[identity]
            raise RowError(*repeated(row.draft.verifier, row.draft.answer, answer, where))
        seen[identity] = row.where, row.draft.answer
        if row.freed:
            loaded.changed.append(Finding(id=row.id, where=row.where, rule="free answer", reason=row.freed))
        draft = row.draft
        return Problem(
            id=row.id,
            source=draft.source,
            licence=draft.licence,
            family=self.family,
            domain=draft.domain,
            discipline=draft.discipline,
            modality="image" if image else "text",
            question=draft.question,
            image=str(image) if image else None,
            answer=draft.answer,
            verifier=draft.verifier,
            grade=draft.grade,
            split=split,
            solution_short=draft.solution_short,
            solution_long=draft.solution_long,
            parameters=self._tests_of(row, loaded) if draft.verifier == "code" else {},
        )

    @staticmethod
    def _tests_of(row: Placed, loaded: Loaded) -> dict[str, int]:
        """How many tests a program is judged by, and how many of them its question does not show; a finding where it shows all."""
        hidden, tests = hidden_tests(row.draft.question, row.draft.answer)
        if not hidden:
            reason = f"the question shows all {tests} tests, so that a table of them is rewarded; add tests that it does not show"
            loaded.changed.append(Finding(id=row.id, where=row.where, rule="no hidden test", reason=reason))
        return {"tests": tests, "hidden_tests": hidden}

    def _picture(self, row: Placed, picture: str | bytes | Path, loaded: Loaded) -> Path:
        assert not isinstance(picture, bytes)
        name = picture if isinstance(picture, str) else "the picture inside the row"
        target = self.images / f"{file_name(row.id)}.png"
        try:
            path = inside(self.folder, picture) if isinstance(picture, str) else picture
            before, after = normalise(path, target, self.max_pixels)
        except PictureError as error:
            raise RowError("bad picture", f"{name}: {error}") from error
        if before != after:
            change = f"{before[0]} x {before[1]} -> {after[0]} x {after[1]} pixels, budget {self.max_pixels}"
            loaded.changed.append(Finding(id=row.id, where=row.where, rule="resized", reason=change))
        return target


def repeated(verifier: VerifierName, answer: str, first: str, where: str) -> tuple[str, str]:
    """(rule, reason) for a question that stands at `where` already, with the gold answer `first`: a repeat, or where the verifier
    does not find the two answers equal, a contradiction, of which nobody here knows which is right."""
    if kind_of(verifier) != "answer" or text_form(answer) == text_form(first):
        return "duplicate question", f"the same question as {where}"
    if verify(verifier, first, f"\\boxed{{{answer}}}").outcome == "right":
        return "duplicate question", f"the same question as {where}, its answer {first!r} written as {answer!r}"
    return "contradictory answer", f"the same question as {where}, where the answer is {first!r}, here {answer!r}"


def file_name(identity: str) -> str:
    """A file name for an id: the id itself where that is a plain name, else its plain part and a hash, so that no two
    meet."""
    plain = re.sub(r"[^A-Za-z0-9._-]+", "_", identity)[:100]
    return identity if plain == identity else f"{plain}-{hashlib.sha256(identity.encode()).hexdigest()[:12]}"


def question_digest(question: str, image: Path | str | None) -> bytes:
    """What makes a question the same question, in 16 bytes: its normal form and the pixels of its picture."""
    parts = [normalised(question), pixel_digest(Path(image)) if image else ""]
    return hashlib.blake2b("\0".join(parts).encode(), digest_size=16).digest()


def order_of(question: str) -> float:
    """Where a question stands in [0, 1): a hash of its normal form, the same in every file, run and machine."""
    return int.from_bytes(hashlib.sha256(normalised(question).encode()).digest()[:7], "big") / (1 << 56)


def split_of(order: float, quotas: dict[Split, int]) -> Split:
    """The split whose range holds `order`: [0, heldout), then validation, then train, in proportion to the quotas."""
    total = sum(quotas.values())
    if order * total < quotas["heldout"]:
        return "heldout"
    return "validation" if order * total < quotas["heldout"] + quotas["validation"] else "train"
