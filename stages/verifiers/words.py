"""English words as the Penn Treebank tokenizer of NLTK 3.9 splits them, sentence by sentence (IF-Eval counts capitals so).

Rules: nltk/tokenize/destructive.py of NLTK 3.9.1 (NLTKWordTokenizer), after Robert MacIntyre's tokenizer.sed. Here the tail
of closing marks after the last period is matched without giving back, so that no rule is worse than linear."""

import re
from collections.abc import Iterator

from stages.verifiers.sentences import sentences

Rules = tuple[tuple[re.Pattern[str], str], ...]


def _rules(*pairs: tuple[str, str]) -> Rules:
    return tuple((re.compile(pattern), replacement) for pattern, replacement in pairs)


_OPENING = _rules(
    ("([«“‘„]|[`]+)", r" \1 "),
    (r"^\"", "``"),
    ("(``)", r" \1 "),
    (r"([ \(\[{<])(\"|'{2})", r"\1 `` "),
    (r"(?i)(')(?!re|ve|ll|m|t|s|d|n)(\w)\b", r"\1 \2"),
)
_PUNCTUATION = _rules(
    (r"([^.])(\.)([\])}>\"'»”’ ]*+)\s*$", r"\1 \2 \3 "),
    (r"([:,])([^\d])", r" \1 \2"),
    (r"([:,])$", r" \1 "),
    (r"\.{2,}", r" \g<0> "),
    (r"[;@#$%&]", r" \g<0> "),
    (r"([^.])(\.)([\])}>\"']*+)\s*$", r"\1 \2\3 "),
    (r"[?!]", r" \g<0> "),
    (r"([^'])' ", r"\1 ' "),
    (r"[*]", r" \g<0> "),
    (r"[\]\[(){}<>]", r" \g<0> "),
    ("--", " -- "),
)
_CLOSING = _rules(
    ("([»”’])", r" \1 "),
    ("''", " '' "),
    ('"', " '' "),
    (r"\s+", " "),
    (r"([^' ])('[sS]|'[mM]|'[dD]|') ", r"\1 \2 "),
    (r"([^' ])('ll|'LL|'re|'RE|'ve|'VE|n't|N'T) ", r"\1 \2 "),
)
_CONTRACTIONS = _rules(
    *((rf"(?i)\b({first})({second})\b", r" \1 \2 ") for first, second in (("can", "not"), ("d", "'ye"), ("gim", "me"))),
    *((rf"(?i)\b({first})({second})\b", r" \1 \2 ") for first, second in (("gon", "na"), ("got", "ta"), ("lem", "me"))),
    (r"(?i)\b(more)('n)\b", r" \1 \2 "),
    (r"(?i)\b(wan)(na)(?=\s)", r" \1 \2 "),
    (r"(?i) ('t)(is)\b", r" \1 \2 "),
    (r"(?i) ('t)(was)\b", r" \1 \2 "),
)
_JOINED = re.compile("cannot|gimme|gonna|gotta|lemme|wanna", re.IGNORECASE)
_RUN = re.compile(r"[^\W_]+")


def capital_words(text: str) -> Iterator[str]:
    """The words of `text` that hold capital letters and no small ones."""
    for sentence in sentences(text):
        if _may_hold_capitals(sentence):
            yield from (word for word in _words(sentence) if word.isupper())


def _may_hold_capitals(sentence: str) -> bool:
    """False where no rule can part a run of letters and digits and none is in capitals: saves the rules most sentences."""
    return "'" in sentence or _JOINED.search(sentence) is not None or any(run.isupper() for run in _RUN.findall(sentence))


def _words(sentence: str) -> list[str]:
    for pattern, replacement in (*_OPENING, *_PUNCTUATION):
        sentence = pattern.sub(replacement, sentence)
    sentence = f" {sentence} "
    for pattern, replacement in (*_CLOSING, *_CONTRACTIONS):
        sentence = pattern.sub(replacement, sentence)
    return sentence.split()
