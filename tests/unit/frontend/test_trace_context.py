"""W3C trace context: what names a span, and what is as if it were not there."""

import re

import pytest

from frontend_api.domain.trace_context import (
    TraceContext,
    new_trace_id,
    read_trace_context,
)

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
GOOD = f"00-{TRACE}-{SPAN}-01"


def read(parent: str, *states: str) -> TraceContext | None:
    headers = [(b"host", b"x"), (b"traceparent", parent.encode("latin-1"))]
    return read_trace_context([*headers, *((b"tracestate", s.encode("latin-1")) for s in states)])


@pytest.mark.parametrize(
    ("parent", "is_sampled"),
    [
        (GOOD, True),
        (f"00-{TRACE}-{SPAN}-00", False),
        (f"00-{TRACE}-{SPAN}-02", False),
        (f"00-{TRACE}-{SPAN}-ff", True),
        (f"01-{TRACE}-{SPAN}-01", True),
        (f"cc-{TRACE}-{SPAN}-01-what-comes-one-day", True),
    ],
)
def test_a_span_is_read(parent: str, is_sampled: bool) -> None:
    assert read(parent) == TraceContext(TRACE, SPAN, is_sampled)


@pytest.mark.parametrize(
    "parent",
    [
        "",
        GOOD.upper(),
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE}-{SPAN}-1",
        f"00-{TRACE}-{SPAN}-01-",
        f"00-{TRACE}-{SPAN}-01-more",
        f"01-{TRACE}-{SPAN}-01more",
        f"00-{TRACE[1:]}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}g-01",
        f" {GOOD}",
        f"{GOOD}\n",
        GOOD.replace("0a", "\xb2\xb3"),
    ],
)
def test_what_is_not_exactly_one_is_none(parent: str) -> None:
    assert read(parent) is None


def test_two_parents_are_none() -> None:
    parent = (b"traceparent", GOOD.encode())

    assert read_trace_context([parent, parent]) is None


@pytest.mark.parametrize(
    ("states", "handed_on"),
    [
        (["a=1"], "a=1"),
        (["a=1", "b=2"], "a=1,b=2"),
        (["a=" + "x" * 510], "a=" + "x" * 510),
        (["a=" + "x" * 511], ""),
        (["a=\x7f"], ""),
        (["a=\xe9"], ""),
    ],
)
def test_the_state_of_others_is_handed_on_or_dropped(states: list[str], handed_on: str) -> None:
    context = read(GOOD, *states)

    assert context is not None
    assert context.state == handed_on


def test_a_span_is_written_as_it_was_read() -> None:
    context = TraceContext(TRACE, SPAN, is_sampled=True, state="a=1")

    assert context.headers() == (("traceparent", GOOD), ("tracestate", "a=1"))
    assert TraceContext(TRACE, SPAN, is_sampled=False).headers() == (
        ("traceparent", f"00-{TRACE}-{SPAN}-00"),
    )


def test_ids_of_our_own_are_valid() -> None:
    ids = {new_trace_id() for _ in range(100)}

    assert len(ids) == 100
    assert all(re.fullmatch("[0-9a-f]{32}", each) for each in ids)
