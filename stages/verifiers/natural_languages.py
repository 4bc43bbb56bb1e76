"""The language of a text by langdetect 1.0.9, made repeatable: the same text always gives the same language.

It draws at random which parts of a text it looks at. Here each text starts from seed 0 and the language profiles are read in
the order of their names, which otherwise is the file system's (https://github.com/Mimino666/langdetect)."""

from functools import cache
from pathlib import Path
from typing import Any

SEED = 0
MAX_CHARACTERS = 100_000
"""Of a longer text the beginning is given to langdetect, which reads 10,000 characters of it after taking out addresses."""


def is_language(text: str, code: str) -> bool:
    """Whether `text` is in the language `code`, or in none that could be told."""
    found = language_of(text)
    return found is None or found == code


def language_of(text: str) -> str | None:
    """The most probable language; None for a text without letters; "unknown" when no language reaches a probability of 0.1."""
    from langdetect import DetectorFactory, LangDetectException

    DetectorFactory.seed = SEED
    detector = _factory().create()
    detector.append(text[:MAX_CHARACTERS])
    try:
        return str(detector.detect())
    except LangDetectException:
        return None


@cache
def _factory() -> Any:
    """langdetect's 55 profiles, read once."""
    from langdetect import DetectorFactory
    from langdetect.detector_factory import PROFILES_DIRECTORY

    factory = DetectorFactory()
    factory.load_json_profile([path.read_text(encoding="utf-8") for path in sorted(Path(PROFILES_DIRECTORY).iterdir())])
    return factory
