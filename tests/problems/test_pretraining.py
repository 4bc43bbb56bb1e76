"""Pretraining teaches to read and to check, not to answer, and sees nothing of the other splits."""

import itertools

import pytest

from stages.problems.pretraining import Document, documents
from stages.problems.procedural import FAMILIES, puzzles


@pytest.fixture(scope="module")
def found() -> list[Document]:
    return documents(800, seed=3)


def identity(question: str, image: object) -> tuple[str, bytes]:
    return question, b"" if image is None else image.tobytes()


def test_no_document_has_a_boxed_answer(found: list[Document]) -> None:
    assert not [document for document in found if "\\boxed" in document.question + document.continuation]
    assert all(document.continuation for document in found)


def test_no_held_out_problem_is_a_document(found: list[Document]) -> None:
    """Many draws of the other splits against many documents; by the puzzles' keys none can meet."""
    seen = {identity(document.question, document.image) for document in found}
    texts = "\n".join(document.question + document.continuation for document in found)
    trained = 0
    for family in FAMILIES:
        for split in ("validation", "heldout"):
            for puzzle, image in itertools.islice(puzzles(family, split, 3), 60):
                assert identity(puzzle.question, image) not in seen
                if family == "arithmetic":
                    assert puzzle.question.split(" with ")[1] not in texts
        for puzzle, image in itertools.islice(puzzles(family, "train", 4, distinct=False), 60):
            trained += identity(puzzle.question, image) in seen
    assert trained > 0, "its own stream does meet: the comparison can fail"


def test_documents_are_the_same_by_seed(found: list[Document]) -> None:
    again = documents(800, seed=3)
    assert [(d.continuation, *identity(d.question, d.image)) for d in again] == [
        (d.continuation, *identity(d.question, d.image)) for d in found
    ]
    assert [d.continuation for d in documents(800, seed=4)] != [d.continuation for d in again]


def test_text_and_pictures_of_every_kind(found: list[Document]) -> None:
    sizes = {None if document.image is None else document.image.size for document in found}
    assert None in sizes
    assert len(sizes) > 10
    questions = {document.question for document in found}
    assert any("*x ending" in question for question in questions)
    assert any("bars" in question for question in questions)


def test_seeing_comes_first() -> None:
    """Nothing but captions in the first sixth, then fewer and fewer; five standard deviations of 500 draws are at most 0.11."""
    captions = [document.question == "Describe." for document in documents(3000, seed=5)]
    shares = [sum(captions[start : start + 500]) / 500 for start in range(0, 3000, 500)]
    assert shares[0] == 1
    assert shares[1:] == pytest.approx([0.7, 0.5, 0.4, 0.2, 0.2], abs=0.11)
