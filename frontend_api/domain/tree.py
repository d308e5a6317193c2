"""A session's tree of messages, read along one path."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from frontend_api.domain.messages import Message


def path_to(messages: Iterable[Message], leaf: str | None) -> Sequence[Message]:
    """Return the messages from the root to this one; none for None and for an unknown one."""
    by_id = {message.id: message for message in messages}
    path: list[Message] = []
    while leaf is not None and leaf in by_id:
        message = by_id.pop(leaf)
        path.append(message)
        leaf = message.parent_id
    return path[::-1]
