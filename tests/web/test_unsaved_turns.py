"""Responses with `store: false` go on over the connection that made them, and nowhere else."""

from frontend_api.domain.generation import ChatPrompt
from tests.web.fakes import words
from tests.web.responses_asked import Desk, desk, text_of
from tests.web.running import Json
from tests.web.test_response_socket import LAST, Socket, socket_of

RESULT: Json = {"type": "function_call_output", "call_id": "call_1", "output": "42"}


async def turn(socket: Socket, **fields: object) -> Json:
    """Ask for a response that is not stored; return its last event."""
    await socket.create(**{"store": False, **fields})
    return (await socket.until(*LAST))[-1]


def shown(at: Desk) -> list[tuple[str, str | None]]:
    """Return what the model was shown last."""
    prompt = at.requests[-1].prompt
    assert isinstance(prompt, ChatPrompt)
    return [(message.role, message.content) for message in prompt.messages]


async def test_it_is_continued_on_its_connection() -> None:
    async with desk(words("One")) as at, socket_of(at) as socket:
        first = await turn(socket, text="Hi", instructions="Be brief.")
        second = await turn(socket, text="And?", previous_response_id=first["response"]["id"])
        third = await turn(socket, text="So?", previous_response_id=second["response"]["id"])

        said = shown(at)

    assert said == [
        ("user", "Hi"),
        ("assistant", "One"),
        ("user", "And?"),
        ("assistant", "One"),
        ("user", "So?"),
    ]
    assert text_of(third["response"]) == "One"
    assert third["response"]["previous_response_id"] == second["response"]["id"]


async def test_it_may_follow_a_stored_one() -> None:
    async with desk(words("One")) as at, socket_of(at) as socket:
        stored = await turn(socket, text="Hi", store=True)
        second = await turn(socket, text="And?", previous_response_id=stored["response"]["id"])
        await turn(socket, text="So?", previous_response_id=second["response"]["id"])

        assert [text for _, text in shown(at)] == ["Hi", "One", "And?", "One", "So?"]


async def test_another_connection_does_not_know_it() -> None:
    async with desk(words("One")) as at:
        async with socket_of(at) as socket:
            first = await turn(socket)
        async with socket_of(at) as other:
            error = await turn(other, previous_response_id=first["response"]["id"])
            recovered = await turn(other)

    assert error["error"]["code"] == "previous_response_not_found"
    assert recovered["type"] == "response.completed"


async def test_a_turn_that_fails_forgets_what_it_followed() -> None:
    async with desk(words("One")) as at, socket_of(at) as socket:
        first = await turn(socket)
        before = {"previous_response_id": first["response"]["id"]}
        failed = await turn(socket, text=[RESULT], **before)
        again = await turn(socket, **before)

    assert failed["error"]["message"] == (
        "No tool call found for function call output with call_id call_1."
    )
    assert again["error"]["code"] == "previous_response_not_found"


async def test_only_the_latest_chains_are_remembered() -> None:
    async with desk(words("One")) as at, socket_of(at) as socket:
        ids = [(await turn(socket))["response"]["id"] for _ in range(9)]
        oldest = await turn(socket, previous_response_id=ids[0])
        latest = await turn(socket, previous_response_id=ids[1])

    assert oldest["error"]["code"] == "previous_response_not_found"
    assert latest["type"] == "response.completed"
