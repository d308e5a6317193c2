"""What is refused about conversations names what was wrong with the request."""

import pytest

from tests.web.conversing import ALL, Json, alone, made


@pytest.mark.parametrize(
    ("method", "url", "body", "param"),
    [
        ("GET", f"{ALL}/conv_none", None, "conversation_id"),
        ("POST", f"{ALL}/conv_none", {"metadata": {}}, "conversation_id"),
        ("DELETE", f"{ALL}/conv_none", None, "conversation_id"),
        ("GET", f"{ALL}/conv_none/items", None, "conversation_id"),
        ("GET", f"{ALL}/{{id}}/items/msg_none", None, "item_id"),
        ("GET", f"{ALL}?after=conv_none", None, "after"),
        (
            "POST",
            "/v1/responses",
            {"model": "demo", "input": "a", "conversation": "conv_none"},
            "conversation",
        ),
        (
            "POST",
            "/v1/responses",
            {
                "model": "demo",
                "input": "a",
                "x_conch": {"parent_id": "msg_none"},
            },
            "x_conch.parent_id",
        ),
    ],
)
async def test_what_is_not_there_is_named(
    method: str, url: str, body: Json | None, param: str
) -> None:
    async with alone() as client:
        session_id = await made(client)
        asked = body and {**body, **({"conversation": session_id} if "x_conch" in body else {})}
        answer = await client.request(method, url.format(id=session_id), json=asked)

    assert (answer.status_code, answer.json()["error"]["param"]) == (404, param)
