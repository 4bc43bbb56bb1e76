"""IF-Eval's instructions on the response as a whole: how it begins and ends, what it repeats, commas."""


def no_comma(response: str) -> bool:
    """No comma anywhere."""
    return "," not in response


def quotation(response: str) -> bool:
    """In straight double quotation marks."""
    text = response.strip()
    return len(text) > 1 and text[0] == text[-1] == '"'


def end_checker(response: str, end_phrase: str) -> bool:
    """Ends with the phrase, capital or small, quotation marks around the response aside."""
    return response.strip().strip('"').lower().endswith(end_phrase.strip().lower())


def repeat_prompt(response: str, prompt_to_repeat: str) -> bool:
    """Begins with the request, capital or small."""
    return response.strip().lower().startswith(prompt_to_repeat.strip().lower())


def two_responses(response: str) -> bool:
    """Two different responses parted by ******; only before the first and after the last may be a blank part."""
    parts = [part.strip() for part in response.split("******")]
    given = [part for part in parts if part]
    return all(parts[1:-1]) and len(given) == 2 and given[0] != given[1]
