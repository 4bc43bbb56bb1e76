"""Takes passwords and keys out of what is printed, logged or stored."""

import os
import re

HIDDEN = "***"
NAMES = re.compile(r"(?:^|_)(?:KEY|TOKEN|PASSWORD|PASSWD|SECRET|CREDENTIALS|AUTH_STRING)(?:$|_)", re.IGNORECASE)
"""Environment variables whose values are secrets; longer words with these inside (MONKEY) are not meant."""
SHORTEST = 8
"""Characters; a shorter value of such a variable ("none", "1") is a word that other text may hold."""
_USER = re.compile(r"(?<=://)(?:[^/?#\s'\"<>]*|[^:/@\s'\"<>]*:(?!\d+[/?#])[^@\s'\"<>]*)@")
"""The user and password of an address, with the @ behind them. A password may hold @ or, as database addresses allow, / ? and #."""
_QUERY = re.compile(
    r"([?&;](?:[\w-]*(?:key|token|password|passwd|pwd|secret|signature|sig|credential)[\w-]*)=)[^&;\s'\"<>]+", re.IGNORECASE
)


def hidden(text: str) -> str:
    """`text` without the user and password of any address in it, without keys in an address's query, and without the value of any
    secret of the environment."""
    for value in secrets():
        text = text.replace(value, HIDDEN)
    return _QUERY.sub(rf"\1{HIDDEN}", _USER.sub("", text))


def secrets() -> list[str]:
    """The values of the environment's secrets, the longest first."""
    values = {value for name, value in os.environ.items() if NAMES.search(name) and len(value) >= SHORTEST}
    return sorted(values, key=lambda value: (-len(value), value))


def has_password(address: str) -> bool:
    """Whether an address holds a user, a password or a key."""
    return _QUERY.sub(rf"\1{HIDDEN}", _USER.sub("", address)) != address
