"""The events of a response: complete, numbered, and the same from wherever they are told."""

import json
from dataclasses import replace

import pytest
from openai.types.responses import ResponseStreamEvent
from pydantic import TypeAdapter

from frontend_api.domain.answer_pieces import CallArguments, Content, Reasoning
from frontend_api.domain.errors import StoreLost
from frontend_api.domain.messages import INTERRUPTED
from frontend_api.web.answer_types_events import StreamEvent
from frontend_api.web.response_events import Framing, ResponseEvents
from frontend_api.web.response_json import response_json
from tests.unit.frontend.response_events_read import PIECES, ended, ending, opened, read, told

OURS: TypeAdapter[object] = TypeAdapter(StreamEvent)
THEIRS: TypeAdapter[object] = TypeAdapter(ResponseStreamEvent)


def kinds(events: list[bytes]) -> list[str]:
    return [read(event)["type"].removeprefix("response.") for event in events]


def test_a_text_is_told_as_openai_tells_it() -> None:
    assert kinds(told([Content("a"), Content("b")])) == [
        "created",
        "in_progress",
        "output_item.added",
        "content_part.added",
        "output_text.delta",
        "output_text.delta",
        "output_text.done",
        "content_part.done",
        "output_item.done",
        "completed",
    ]


def test_thoughts_and_calls_are_items_of_their_own() -> None:
    assert kinds(told([Reasoning("a"), *PIECES[4:6]]))[2:-1] == [
        "output_item.added",
        "content_part.added",
        "reasoning_text.delta",
        "reasoning_text.done",
        "content_part.done",
        "output_item.done",
        "output_item.added",
        "function_call_arguments.delta",
        "function_call_arguments.done",
        "output_item.done",
    ]


@pytest.mark.parametrize("how", ["completed", "incomplete", "failed", "cancelled"])
def test_every_event_is_of_our_types_and_of_openais(how: str) -> None:
    error = (
        {"error_code": "engine_failure", "error_message": "It broke."} if how == "failed" else {}
    )
    for event in map(read, told(how=ending(status=how, **error))):
        OURS.validate_python(event)
        if how != "failed":
            # Their list of error codes knows their faults only.
            THEIRS.validate_python(event)


def test_events_are_numbered_from_0() -> None:
    numbers = [read(event)["sequence_number"] for event in told()]

    assert numbers == list(range(len(numbers)))


def test_whoever_resumes_at_any_number_gets_the_tail() -> None:
    whole = told()

    assert [told(after=last) for last in range(len(whole))] == [
        whole[last + 1 :] for last in range(len(whole))
    ]


@pytest.mark.parametrize("batch", [2, 5, 99])
def test_it_does_not_matter_how_the_pieces_arrive(batch: int) -> None:
    assert told(batch=batch) == told()


def test_deltas_make_up_what_is_told_as_done_and_what_the_response_holds() -> None:
    texts: dict[str, str] = {}
    done: dict[str, str] = {}
    events = [read(event) for event in told()]
    for event in events:
        if event["type"].endswith(".delta"):
            texts[event["item_id"]] = texts.get(event["item_id"], "") + event["delta"]
        elif event["type"].endswith(("text.done", "arguments.done")):
            done[event["item_id"]] = event["text"] if "text" in event else event["arguments"]
    items = [event["item"] for event in events if event["type"] == "response.output_item.done"]

    assert list(texts.values()) == ["Hm, a tool.", 'Let me "look"\n', '{"at":"sea"}', "é"]
    assert [text for text in done.values() if text] == list(texts.values())
    assert items == events[-1]["response"]["output"]
    assert [item["id"] for item in items] == [
        item_id for item_id, _ in ended(opened(), PIECES, ending()).items
    ]


def test_a_background_response_is_queued_first() -> None:
    events = [read(event) for event in told(message=opened(is_background=True))]

    assert [(event["type"], event["response"]["status"]) for event in events[:3]] == [
        ("response.created", "queued"),
        ("response.queued", "queued"),
        ("response.in_progress", "in_progress"),
    ]


@pytest.mark.parametrize(
    ("how", "kind", "details"),
    [
        (ending(status="incomplete", reason="max_output_tokens"), "incomplete", True),
        (ending(status="cancelled"), "incomplete", False),
    ],
)
def test_an_answer_that_was_cut_leaves_its_last_item_incomplete(
    how: object, kind: str, details: bool
) -> None:
    *_, item, last = map(read, told([Reasoning("a"), Content("b")], how=how))  # type: ignore[arg-type]

    assert item["item"]["status"] == "incomplete"
    assert [each["status"] for each in last["response"]["output"]] == ["completed", "incomplete"]
    assert last["type"] == f"response.{kind}"
    assert (last["response"]["incomplete_details"] is not None) is details


def test_a_failure_says_what_failed() -> None:
    how = ending(status="failed", error_code="timeout", error_message="Too slow.", usage=None)

    last = read(told(how=how)[-1])

    assert last["type"] == "response.failed"
    assert last["response"]["error"] == {"code": "timeout", "message": "Too slow."}


def test_who_saw_more_than_was_stored_still_gets_the_end() -> None:
    how = ending(status="incomplete", reason=INTERRUPTED)

    (last,) = map(read, told(how=how, after=40))

    assert (last["type"], last["sequence_number"]) == ("response.incomplete", 41)


def test_arguments_without_a_call_are_not_told() -> None:
    assert kinds(told([Content("a"), CallArguments(0, "{}")])) == kinds(told([Content("a")]))


def test_over_a_socket_an_event_is_json_that_says_whose_it_is() -> None:
    names = {"response_id": "resp_0a", "stream_id": "left"}

    events = [json.loads(event) for event in told(framing=Framing(is_sse=False, fields=names))]

    assert events == [{**read(event), **names} for event in told()]


def test_an_error_of_the_reader_has_the_number_of_the_last_event() -> None:
    events = ResponseEvents(opened(), Framing())
    events.opening()

    event = read(events.broken(StoreLost("Gone.")))

    assert (event["type"], event["code"], event["sequence_number"]) == (
        "error",
        "store_unavailable",
        1,
    )
    OURS.validate_python(event)


def test_a_response_that_is_not_stored_has_no_place() -> None:
    message = ended(opened(settings='{"store":false}'), PIECES, ending())

    body = response_json(message, is_saved=False)

    assert body["conversation"] is None
    assert body["x_conch"] == {
        "session_id": None,
        "parent_id": None,
        "saved": False,
        "num_dropped": 0,
    }


def test_a_running_response_shows_what_it_has_said() -> None:
    message = opened(pieces=PIECES[:3])

    body = response_json(replace(message), is_saved=True)

    assert [item["status"] for item in body["output"]] == ["completed", "in_progress"]  # type: ignore[attr-defined]
    assert body["usage"] is None
