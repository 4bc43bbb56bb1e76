"""Requests that wait for a slot of the embedded engine, in the order given; those of the same prefix share what the model read."""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from stages.data.files import DataError
from stages.rollout.engine import Finish, Request
from stages.rollout.prefill import Prefilled, Prefix, parts_of
from stages.rollout.slots import Row


@dataclass
class Group:
    """Consecutive requests of one prefix."""

    prefix: Prefix
    rows: deque[Row]
    prefilled: Prefilled | None = None
    line: int = 0
    """Of `prefilled`."""


class Queue:
    """Groups of requests. `read` is the model's pass over some prefixes."""

    def __init__(self, requests: Sequence[Request], context: int, read: Callable[[Sequence[Prefix]], Prefilled]) -> None:
        self.read = read
        self.groups: deque[Group] = deque()
        for index, request in enumerate(requests):
            row = begun(index, request, context)
            last = self.groups[-1].prefix if self.groups else None
            if last is None or last.prompt is not request.rendered or last.start != request.start:
                self.groups.append(Group(Prefix(request.rendered, request.start), deque()))
            self.groups[-1].rows.append(row)
        self.longest = max((group.prefix.length for group in self.groups), default=0)
        self.most = max((group.prefix.length + row.most for group in self.groups for row in group.rows), default=0)

    def take(self, count: int) -> list[tuple[Prefilled, list[int], list[Row]]]:
        """The next `count` requests, or what is left, their prefixes read: (prefilled, line of each, rows), one entry for each
        pass of the model."""
        taken: list[tuple[Group, list[Row]]] = []
        while count and self.groups:
            group = self.groups[0]
            rows = [group.rows.popleft() for _ in range(min(count, len(group.rows)))]
            taken.append((group, rows))
            count -= len(rows)
            if not group.rows:
                self.groups.popleft()
        unread = [group for group, _ in taken if group.prefilled is None]
        for part in parts_of([group.prefix.length for group in unread]):
            prefilled = self.read([unread[place].prefix for place in part])
            for line, group in enumerate(unread[part.start : part.stop]):
                group.prefilled, group.line = prefilled, line
        found: list[tuple[Prefilled, list[int], list[Row]]] = []
        for group, rows in taken:
            assert group.prefilled is not None
            if not found or found[-1][0] is not group.prefilled:
                found.append((group.prefilled, [], []))
            found[-1][1].extend([group.line] * len(rows))
            found[-1][2].extend(rows)
        return found


def begun(index: int, request: Request, context: int) -> Row:
    """The row of a request that has still to get its first token. DataError where it cannot have one."""
    length = len(request.rendered.token_ids) + len(request.start)
    limit = min(request.limit, context - length)
    if limit < 1 or request.budget < 1:
        raise DataError(
            f"request {index}: {length} tokens of prompt and response, limit {request.limit}, budget {request.budget}: nothing can "
            f"be added in model.context = {context}; ask for at least one token, leave out finished responses"
        )
    full: Finish = "length" if limit <= request.budget else "cut"
    return Row(index, request, min(limit, request.budget), full)
