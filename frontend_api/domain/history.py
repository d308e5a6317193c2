"""From a session's tree to the conversation a model is given, and what of it may be left out.

How it works: the path from a root to a leaf is a list of items. Items that one speaker said in a
row become one turn of the chat template: a model's thoughts, text and calls are one message of
the assistant. When that is too long, it is cut before a turn of the user, never between a call
and its result, and never within what came last; system messages stay.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from frontend_api.domain.errors import BadRequest
from frontend_api.domain.generation import ChatMessage, MadeCall
from frontend_api.domain.messages import Called, Item, Message, Returned, Said, Thought

# Chat templates know no developers.
_TEMPLATE_ROLE: Final = {"developer": "system"}


def items_on(path: Iterable[Message]) -> Sequence[tuple[str, Item]]:
    """Return the ids and items of all these messages."""
    return [named for message in path for named in message.items]


def chat_messages(items: Iterable[Item]) -> Sequence[ChatMessage]:
    """Return the turns as a chat template takes them; thoughts go with what they led to."""
    turns: list[ChatMessage] = []
    thought: str | None = None
    for item in items:
        match item:
            case Thought(text):
                thought = (thought or "") + text
                continue
            case Said("assistant", text):
                _say(turns, text, thought)
            case Said(role, text):
                turns.append(ChatMessage(_TEMPLATE_ROLE.get(role, role), text))
            case Called():
                _call(turns, MadeCall(item.call_id, item.name, item.arguments), thought)
            case Returned(call_id, output):
                turns.append(ChatMessage("tool", output, call_id=call_id))
        thought = None
    return turns


def check_results(past: Iterable[Item], new: Iterable[Item]) -> None:
    """Raise BadRequest, in OpenAI's words, for a new result of a call that nobody made."""
    called = {item.call_id for item in past if isinstance(item, Called)}
    for item in new:
        if isinstance(item, Called):
            called.add(item.call_id)
        elif isinstance(item, Returned) and item.call_id not in called:
            raise BadRequest(
                f"No tool call found for function call output with call_id {item.call_id}.",
                param="input",
            )


def latest(turns: Sequence[ChatMessage], max_turns: int) -> Sequence[ChatMessage]:
    """Return the last turns, from one of the user's on, and every system message."""
    said = [at for at, turn in enumerate(turns) if turn.role != "system"]
    if max_turns >= len(said):
        return turns
    fitting = said[len(said) - max(0, max_turns) :]
    first = next((at for at in fitting if turns[at].role == "user"), len(turns))
    return [turn for at, turn in enumerate(turns) if at >= first or turn.role == "system"]


@dataclass(frozen=True, slots=True)
class Conversation:
    """What a model is given: what was said before, and what is new."""

    past: Sequence[ChatMessage]
    new: Sequence[ChatMessage]
    instructions: str | None = None

    def without(self, num_oldest: int) -> tuple[ChatMessage, ...]:
        """Return its turns, the first `num_oldest` of the past left out but for system messages."""
        first = () if self.instructions is None else (ChatMessage("system", self.instructions),)
        kept = [
            turn for at, turn in enumerate(self.past) if at >= num_oldest or turn.role == "system"
        ]
        return (*first, *kept, *self.new)

    def num_dropped(self, num_oldest: int) -> int:
        """Return how many messages `without` leaves out."""
        return sum(turn.role != "system" for turn in self.past[:num_oldest])

    def cuts(self) -> Sequence[int]:
        """Return how many of the oldest turns may be left out, the smallest number first."""
        split = self._split_calls()
        last = self._last_cut()
        first = next((at for at, turn in enumerate(self.past) if turn.role != "system"), last)
        return [
            cut
            for cut in range(first + 1, last + 1)
            if cut not in split and (cut == len(self.past) or self.past[cut].role == "user")
        ]

    def _last_cut(self) -> int:
        """Return how much is older than the newest input, which is the user's last word if none."""
        if any(turn.role == "user" for turn in self.new):
            return len(self.past)
        places = [at for at, turn in enumerate(self.past) if turn.role == "user"]
        return places[-1] if places else 0

    def _split_calls(self) -> frozenset[int]:
        """Return the cuts that would part a result from its call."""
        made: dict[str, int] = {}
        split: set[int] = set()
        for at, turn in enumerate((*self.past, *self.new)):
            made.update((call.id, at) for call in turn.calls)
            if turn.call_id is not None and turn.call_id in made:
                split.update(range(made[turn.call_id] + 1, at + 1))
        return frozenset(split)


def _say(turns: list[ChatMessage], text: str, thought: str | None) -> None:
    # Templates expect a call's result next; so text after a call goes before it.
    if turns and turns[-1].calls and thought is None:
        turns[-1] = replace(turns[-1], content=(turns[-1].content or "") + text)
    else:
        turns.append(ChatMessage("assistant", text, reasoning=thought))


def _call(turns: list[ChatMessage], call: MadeCall, thought: str | None) -> None:
    if turns and turns[-1].role == "assistant" and thought is None:
        turns[-1] = replace(turns[-1], calls=(*turns[-1].calls, call))
    else:
        turns.append(ChatMessage("assistant", None, reasoning=thought, calls=(call,)))
