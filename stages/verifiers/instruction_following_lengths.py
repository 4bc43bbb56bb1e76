"""IF-Eval's instructions on the number of words, sentences and paragraphs."""

import re

from stages.verifiers.instruction_following_counts import holds
from stages.verifiers.sentences import sentences

_WORD = re.compile(r"\w+")
_DIVIDER = re.compile(r"\s?\*\*\*\s?")
_ENDS_FIRST_WORD = re.compile(r"[.,?!'\"]")


def number_words(response: str, num_words: int, relation: str) -> bool:
    """Runs of letters, digits and underscores."""
    return holds(_WORD.finditer(response), relation, num_words)


def number_sentences(response: str, num_sentences: int, relation: str) -> bool:
    """Sentences as NLTK's English Punkt model parts them."""
    return holds(sentences(response), relation, num_sentences)


def number_paragraphs(response: str, num_paragraphs: int) -> bool:
    """Exactly so many paragraphs between dividers ***; only the first and the last part may be blank."""
    parts = [part.strip() for part in _DIVIDER.split(response)]
    if not all(parts[1:-1]):
        return False
    blank_ends = [part for part in (parts if len(parts) == 1 else (parts[0], parts[-1])) if not part]
    return len(parts) - len(blank_ends) == num_paragraphs


def nth_paragraph_first_word(response: str, num_paragraphs: int, nth_paragraph: int, first_word: str) -> bool:
    """Exactly so many paragraphs between blank lines, of which the nth, blank ones counted, begins with the word."""
    paragraphs = [paragraph.strip() for paragraph in response.split("\n\n")]
    count = sum(map(bool, paragraphs))
    if nth_paragraph > count or not paragraphs[nth_paragraph - 1]:
        return False
    word = paragraphs[nth_paragraph - 1].split(maxsplit=1)[0].lstrip("'").lstrip('"')
    return count == num_paragraphs and _ENDS_FIRST_WORD.split(word, maxsplit=1)[0].lower() == first_word.lower()
