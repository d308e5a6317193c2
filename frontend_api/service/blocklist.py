"""Rules about what may be said: regular expressions to refuse or to mask, and exceptions to them.

How it works: a text that is still being written is decided up to the first place at which a match
may be under way: one that the text breaks off, or that ends where the text does and might go on.
What is behind that place waits, a thousand characters at most, and so a match may have no more.
What an `allow` rule matches is blocked by no other. Searches have a time-out: an expression that
goes astray on some text refuses that text.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple, Protocol

import regex

from frontend_api.domain.errors import RulesFailed

Action = Literal["refuse", "mask", "allow"]
Place = Literal["prompt", "answer", "both"]

MASK: Final = "***"
MAX_MATCH_CHARS: Final = 1000
# For expressions that look at what comes before.
LOOK_BACK_CHARS: Final = 100
# A character that is none: before it the text must have broken off.
_NEVER: Final = r"(?![\s\S])[\s\S]"
# Of one search; usual ones take microseconds.
_SEARCH_S: Final = 0.25


@dataclass(frozen=True, slots=True)
class Rule:
    """One expression, and what becomes of what it matches.

    open_pattern: finds, by a partial match, where a match might begin that has not ended yet.
    """

    name: str
    pattern: regex.Pattern[str]
    open_pattern: regex.Pattern[str]
    action: Action
    place: Place
    mask: str


def new_rule(
    name: str, pattern: str, action: Action, *, place: Place = "both", mask: str = MASK
) -> Rule:
    """Return a rule; raises ValueError, in a sentence without the name, for a bad expression."""
    try:
        compiled = regex.compile(pattern)
        open_pattern = regex.compile(f"(?:{pattern}){_NEVER}")
    except regex.error as exc:
        raise ValueError(f"its pattern is no regular expression: {exc}") from exc
    if compiled.search(""):
        raise ValueError("its pattern matches where nothing is")
    return Rule(name, compiled, open_pattern, action, place, mask)


class Span(NamedTuple):
    """A place in a text that a rule has matched."""

    start: int
    end: int
    rule: Rule


@dataclass(frozen=True, slots=True)
class Rules:
    """All of them, those for prompts and those for answers."""

    for_prompts: tuple[Rule, ...] = ()
    for_answers: tuple[Rule, ...] = ()


class RuleSource(Protocol):
    """Where the rules come from; they may change."""

    @property
    def current(self) -> Rules:
        """Return the rules of this moment."""
        ...

    def running(self) -> AbstractAsyncContextManager[None]:
        """Heed changes while the block runs."""
        ...


class NoRules:
    """Everything may be said; a RuleSource."""

    current = Rules()

    def running(self) -> AbstractAsyncContextManager[None]:
        """Do nothing."""
        return nullcontext()


def rules_of(rules: Iterable[Rule]) -> Rules:
    """Return the rules, sorted by what they are for."""
    found = tuple(rules)
    return Rules(
        tuple(rule for rule in found if rule.place != "answer"),
        tuple(rule for rule in found if rule.place != "prompt"),
    )


class Patience:
    """How much processor time the searches of one thread may take, all together."""

    def __init__(self, limit_s: float) -> None:
        """Begin now."""
        self._until = time.thread_time() + limit_s

    def for_search_s(self) -> float:
        """Return what the next one may take; raises TimeoutError when nothing is left."""
        left_s = self._until - time.thread_time()
        if left_s <= 0:
            raise TimeoutError
        return min(left_s, _SEARCH_S)


def decided(
    text: str, start: int, rules: Sequence[Rule], patience: Patience, *, is_whole: bool
) -> tuple[int, Sequence[Span]]:
    """Return how far the text is decided, and what is blocked from `start` up to there.

    is_whole: nothing more comes. Raises RulesFailed when the patience ends.
    """
    limit, spans = _found(text, start, rules, patience, is_whole=is_whole)
    if not spans:
        return limit, ()
    # What reaches over the limit is looked at again with what comes, unless it is too long.
    floor = max(start, len(text) - MAX_MATCH_CHARS)
    while over := [span.start for span in spans if floor <= span.start < limit < span.end]:
        limit = min(over)
    within = [span._replace(end=min(span.end, limit)) for span in spans if span.start < limit]
    allowed = [span for span in within if span.rule.action == "allow"]
    blocked = [span for span in within if span.rule.action != "allow"]
    return limit, sorted(
        (span for span in blocked if not any(_covers(each, span) for each in allowed)),
        key=lambda span: span[:2],
    )


def _found(
    text: str, start: int, rules: Sequence[Rule], patience: Patience, *, is_whole: bool
) -> tuple[int, Sequence[Span]]:
    """Return where the first match may be under way, and all there are."""
    limit = len(text)
    # `$` would take the end of what is there for the end of all, also before a last line break.
    searched = text if is_whole else text + "\0"
    spans: list[Span] = []
    for rule in rules:
        try:
            if not is_whole:
                limit = min(limit, _open(text, start, rule.open_pattern, patience))
            timeout_s = patience.for_search_s()
            for match in rule.pattern.finditer(searched, start, timeout=timeout_s):
                if match.end() > match.start():
                    spans.append(Span(match.start(), match.end(), rule))
        except TimeoutError as exc:
            raise RulesFailed(rule.name) from exc
    return limit, spans


def _open(text: str, start: int, pattern: regex.Pattern[str], patience: Patience) -> int:
    """Return where a match may be under way; the end where none is."""
    found = pattern.search(text, start, partial=True, timeout=patience.for_search_s())
    floor = len(text) - MAX_MATCH_CHARS
    if found is not None and found.start() < floor:
        # Too long already: another may have begun since.
        start = max(start, floor)
        found = pattern.search(text, start, partial=True, timeout=patience.for_search_s())
    return len(text) if found is None else found.start()


def _covers(outer: Span, inner: Span) -> bool:
    return outer.start <= inner.start and inner.end <= outer.end
