"""IF-Eval's instructions on language and on capital and small letters.

Where no language can be told they count as followed, as in the official code."""

from stages.verifiers.instruction_following_counts import holds
from stages.verifiers.natural_languages import is_language
from stages.verifiers.words import capital_words


def response_language(response: str, language: str) -> bool:
    """In the language of this ISO 639-1 code."""
    return is_language(response, language)


def english_capital(response: str) -> bool:
    """English in capital letters."""
    return response.isupper() and is_language(response, "en")


def english_lowercase(response: str) -> bool:
    """English in small letters."""
    return response.islower() and is_language(response, "en")


def capital_word_frequency(response: str, capital_frequency: int, capital_relation: str) -> bool:
    """So many words in capital letters, a hyphenated one counting once."""
    return holds(capital_words(response), capital_relation, capital_frequency)
