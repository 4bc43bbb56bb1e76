"""A place among tokens: what stands there, what is taken, what must follow."""

from collections.abc import Sequence

from stages.verifiers.answer_tokens import Token, UnreadableError


class Cursor:
    """Reads `tokens` from the first to the last; `place` is the next one."""

    def __init__(self, tokens: Sequence[Token]) -> None:
        self.tokens, self.place = tokens, 0

    def _group_text(self) -> str:
        """The text of a group in braces, or of one token."""
        token = self._take()
        if token.text != "{":
            return token.text
        found, depth = "", 1
        while depth:
            token = self._take()
            depth += (token.text == "{") - (token.text == "}")
            found += token.text if depth else ""
        return found

    def _token(self, ahead: int = 0, kind: str = "") -> Token | None:
        token = self.tokens[self.place + ahead] if self.place + ahead < len(self.tokens) else None
        return token if token is not None and kind in ("", token.kind) else None

    def _peek(self, ahead: int = 0) -> str:
        token = self._token(ahead)
        return token.text if token is not None else ""

    def _take(self) -> Token:
        token = self._token()
        if token is None:
            raise UnreadableError("it ends too early")
        self.place += 1
        return token

    def _expect(self, text: str) -> None:
        if self._take().text != text:
            raise UnreadableError(f"{text!r} is missing")
