"""Sentences and words as NLTK's, worked out by hand from the published rules; linear in the length of the text."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.verifiers.sentences import parameters, sentences
from stages.verifiers.words import capital_words

pieces = st.sampled_from([*'Ab1.?! \n)"-,\u2019\ud800', "Mr", "the", "The", ".."])


@pytest.mark.parametrize(
    "text, expected, why",
    [
        ("", [], "nothing"),
        ("  One. Two.  ", ["  One.", "Two."], "white space before the first stays, between and behind goes"),
        ("Mr. Smith left.", ["Mr. Smith left."], "a known abbreviation before a name"),
        ("At 5 p.m. The sun set.", ["At 5 p.m.", "The sun set."], "an abbreviation before a word that only begins sentences"),
        ("J. Bach. S. Gauss.", ["J. Bach.", "S. Gauss."], "an initial before a name"),
        ("1. First\n2. Second", ["1.", "First\n2.", "Second"], "the number of a list is a sentence"),
        ("No. 5. and more", ["No.", "5. and more"], "a number before a small letter"),
        ("Wait... the end. Wait... The end.", ["Wait... the end.", "Wait...", "The end."], "an ellipsis by the next word"),
        ('He said "No." Then (yes!) he left.', ['He said "No."', "Then (yes!)", "he left."], "closing marks go to their sentence"),
        ("Really?! Yes!!! End", ["Really?!", "Yes!!!", "End"], "several marks end one sentence"),
        ("co-op. Co. The co. X", ["co-op.", "Co.", "The co. X"], "an unknown and a known abbreviation"),
        ("Version 3.5 is out", ["Version 3.5 is out"], "no white space after the period"),
        ("He said “No.” Then he left.", ["He said “No.” Then he left."], "curly marks are no closing marks up to NLTK 3.9"),
    ],
)
def test_by_hand(text: str, expected: list[str], why: str) -> None:
    assert list(sentences(text)) == expected, why


@pytest.mark.parametrize(
    "text, expected",
    [
        ("The U.S.A. and NATO, FBI.", ["U.S.A.", "NATO", "FBI"]),
        ("STATE-OF-THE-ART CAN'T GONNA", ["STATE-OF-THE-ART", "CA", "N'T", "GON", "NA"]),
        ("(ONE)[TWO]*THREE*FOUR;FIVE", ["ONE", "TWO", "THREE", "FOUR", "FIVE"]),
        ("A1 2B c3 É ß 12", ["A1", "2B", "É"]),
        ("Oh, CANnot! No. CAn't Aa", ["CAN", "CA"]),
    ],
)
def test_capital_words_by_hand(text: str, expected: list[str]) -> None:
    assert list(capital_words(text)) == expected


def test_the_parameters_are_those_of_the_english_model() -> None:
    known = parameters()
    sizes = [len(words) for words in (known.abbreviations, known.collocations, known.frequent_starters, known.starters)]
    assert sizes == [156, 37, 39, 12348]
    assert (len(known.lower), known.lower_starters) == (14702, {"z-holiday", "administrators", "r-revised", "b-week"})


@settings(deadline=None)
@given(st.lists(pieces, max_size=40).map("".join))
def test_sentences_hold_everything_but_white_space(text: str) -> None:
    assert "".join("".join(sentences(text)).split()) == "".join(text.split())


@pytest.mark.parametrize(
    "part",
    [
        ".",
        "!",
        "a. ",
        "A. ",
        "1. ",
        ". ",
        " .",
        "...",
        '."',
        "a.)",
        "-",
        ",",
        "'",
        "`",
        "((",
        "\n",
        ".\n\n",
        "x",
        "can't ",
        "A.'",
        ": ",
    ],
)
def test_no_rule_is_worse_than_linear(part: str) -> None:
    """A quadratic rule would take half a minute."""
    text = part * (60_000 // len(part))
    start = time.monotonic()
    for _ in sentences(text):
        pass
    for _ in capital_words(text.upper()):
        pass
    assert time.monotonic() - start < 10
