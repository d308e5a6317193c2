"""What /v1/conversations has beyond OpenAI's: lists, search, branches, forks, export, import."""

from __future__ import annotations

import asyncio

from frontend_api.domain.generation import Accepted, Delta
from tests.web.conversing import ALL, alone, ask, get, in_view, made, post, user
from tests.web.fakes import HANG, FakeGenerator, FixedClock
from tests.web.owners import owned_clients
from tests.web.running import served, settings


async def test_the_pinned_are_listed_first_and_all_of_them_in_pages() -> None:
    async with alone() as client:
        ids = [await made(client, str(number)) for number in range(5)]
        await post(client, f"{ALL}/{ids[1]}", {"x_conch": {"is_pinned": True}})
        listed: list[str] = []
        has_more, after = True, ""
        while has_more:
            page = await get(client, f"{ALL}?limit=2{after}")
            listed += [each["id"] for each in page["data"]]
            has_more, after = page["has_more"], f"&after={page['last_id']}"

    assert listed[0] == ids[1]
    assert sorted(listed) == sorted(ids)


async def test_an_empty_list_is_a_list() -> None:
    async with alone() as client:
        page = await get(client, ALL)

    assert page == {"object": "list", "data": [], "first_id": "", "last_id": "", "has_more": False}


async def test_a_new_conversation_is_named_by_its_first_words_and_its_user_can_rename_it() -> None:
    async with alone() as client:
        first = await post(client, ALL, {"items": [user("  Where is\nthe sea?  ")]})
        url = f"{ALL}/{first['id']}"
        named = await post(client, url, {"x_conch": {"title": "The sea"}})
        unnamed = await post(client, url, {"x_conch": {"title": None}})

    assert (first["x_conch"]["title"], first["x_conch"]["title_source"]) == (
        "Where is the sea?",
        "words",
    )
    assert (named["x_conch"]["title"], named["x_conch"]["title_source"]) == ("The sea", "user")
    assert (unnamed["x_conch"]["title"], unnamed["x_conch"]["title_source"]) == ("", "none")


async def test_changing_one_thing_leaves_the_others() -> None:
    async with alone() as client:
        first = await post(client, ALL, {"metadata": {"a": "1"}})
        url = f"{ALL}/{first['id']}"
        await post(client, url, {"x_conch": {"title": "T"}})
        pinned = await post(client, url, {"x_conch": {"is_pinned": True}})
        emptied = await post(client, url, {"metadata": None})
        await post(client, url, {}, status=400)

    assert (pinned["metadata"], pinned["x_conch"]["title"]) == ({"a": "1"}, "T")
    assert (emptied["metadata"], emptied["x_conch"]["is_pinned"]) == ({}, True)


async def test_a_conversation_that_is_being_answered_says_so() -> None:
    fake = FakeGenerator([Accepted(3), Delta(0, "Good", 1), HANG])
    async with served(fake) as running:
        session_id = await made(running.client)
        background = {"model": "demo", "input": "x", "conversation": session_id, "background": True}
        response = await post(running.client, "/v1/responses", background)
        during = await get(running.client, ALL)
        items = (await get(running.client, f"{ALL}/{session_id}/items?order=asc"))["data"]
        await post(running.client, f"/v1/responses/{response['id']}/cancel", {})
        after = await get(running.client, f"{ALL}/{session_id}")

    assert during["data"][0]["x_conch"]["is_running"] is True
    assert items[0]["status"] == "completed"
    assert after["x_conch"]["is_running"] is False


async def test_search_finds_what_was_said_whatever_its_case() -> None:
    async with alone("The ANSWER is fine") as client:
        session_id = await made(client, "A Grüße from the sea")
        await ask(client, session_id, "Well?")
        mine = (await get(client, f"{ALL}/search?q=GRÜSSE"))["data"]
        models = (await get(client, f"{ALL}/search?q=answer"))["data"]
        nothing = (await get(client, f"{ALL}/search?q=%24where"))["data"]
        await get(client, f"{ALL}/search", status=400)
        await get(client, f"{ALL}/search?q=", status=400)

    assert [(each["conversation_id"], each["title"]) for each in mine] == [
        (session_id, "A Grüße from the sea")
    ]
    assert "Grüße" in mine[0]["excerpt"]
    assert models[0]["message_id"].startswith("resp_")
    assert nothing == []


async def test_the_tree_has_all_branches_and_the_head_chooses_the_one_in_view() -> None:
    async with alone() as client:
        session_id = await made(client, "a", "b")
        first = (await get(client, f"{ALL}/{session_id}/tree"))["data"]
        await post(client, f"{ALL}/{session_id}/head", {"message_id": first[0]["id"]})
        await post(client, f"{ALL}/{session_id}/items", {"items": [user("c")]})
        branch = await in_view(client, session_id)
        tree = await get(client, f"{ALL}/{session_id}/tree")
        await post(client, f"{ALL}/{session_id}/head", {"message_id": first[1]["id"]})
        back = await in_view(client, session_id)

    assert branch == ["a", "c"]
    assert back == ["a", "b"]
    assert [each["parent_id"] for each in tree["data"]] == [None, first[0]["id"], first[0]["id"]]
    assert tree["head"] == tree["data"][2]["id"]


async def test_the_tree_tells_of_an_answer_what_its_response_tells() -> None:
    async with alone() as client:
        session_id = await made(client, "a")
        asked = {"metadata": {"k": "v"}, "seed": 7, "stop": ["x"], "temperature": 0.5}
        body = {"model": "demo", "input": "b", "conversation": session_id, **asked}
        response = await post(client, "/v1/responses", body)
        said, _, answer = (await get(client, f"{ALL}/{session_id}/tree"))["data"]

    told = ("status", "usage", "error", "incomplete_details", "completed_at")
    assert {name: answer[name] for name in told} == {name: response[name] for name in told}
    assert answer["usage"]["output_tokens"] > 0
    assert answer["settings"].items() >= asked.items()
    assert (said["usage"], said["error"], said["settings"]) == (None, None, {})


async def test_a_head_that_has_moved_meanwhile_is_a_conflict() -> None:
    async with alone() as client:
        session_id = await made(client, "a", "b")
        a, b = [each["id"] for each in (await get(client, f"{ALL}/{session_id}/tree"))["data"]]
        url = f"{ALL}/{session_id}/head"
        await post(client, url, {"message_id": a, "expected_head": b})
        refused = await post(client, url, {"message_id": a, "expected_head": b}, status=409)
        kept = await in_view(client, session_id)

    assert refused["error"]["code"] == "conflict"
    assert kept == ["a"]


async def test_items_added_at_once_are_all_kept_or_told_of_a_conflict() -> None:
    async with alone() as client:
        session_id = await made(client, "first")
        responses = await asyncio.gather(
            *(
                client.post(f"{ALL}/{session_id}/items", json={"items": [user(str(number))]})
                for number in range(8)
            )
        )
        texts = await in_view(client, session_id)

    kept = [n for n, response in enumerate(responses) if response.status_code == 200]
    assert {response.status_code for response in responses} <= {200, 409}
    assert sorted(texts) == sorted(["first", *map(str, kept)])


async def test_a_fork_is_a_conversation_of_its_own() -> None:
    async with alone("<think>Hm.</think>Yes.") as client:
        session_id = await made(client)
        response = await ask(client, session_id, "a")
        await ask(client, session_id, "b")
        fork = await post(client, f"{ALL}/{session_id}/fork", {"message_id": response["id"]})
        whole = await post(client, f"{ALL}/{session_id}/fork", {})
        await post(client, f"{ALL}/{fork['id']}/items", {"items": [user("elsewhere")]})
        items = (await get(client, f"{ALL}/{fork['id']}/items?order=asc"))["data"]
        old = (await get(client, f"{ALL}/{session_id}/items?order=asc"))["data"]
        copied = await get(client, f"/v1/responses/{fork['x_conch']['head']}")
        await client.delete(f"{ALL}/{session_id}")
        after = (await get(client, f"{ALL}/{fork['id']}/items?order=asc"))["data"]

    assert [item["type"] for item in items] == ["message", "reasoning", "message", "message"]
    assert not {item["id"] for item in items} & {item["id"] for item in old}
    assert len(old) == 6
    assert whole["x_conch"]["num_messages"] == 4
    assert copied["usage"]["input_tokens"] == 3
    assert after == items


async def test_what_is_still_being_answered_cannot_be_forked() -> None:
    fake = FakeGenerator([Accepted(3), HANG])
    async with served(fake) as running:
        session_id = await made(running.client)
        background = {"model": "demo", "input": "x", "conversation": session_id, "background": True}
        await post(running.client, "/v1/responses", background)
        refused = await post(running.client, f"{ALL}/{session_id}/fork", {}, status=409)

    assert refused["error"]["code"] == "conflict"


class MovableClock(FixedClock):
    """A clock that is put forward by hand."""

    def __init__(self) -> None:
        super().__init__()
        self.passed_s = 0.0

    def now(self) -> float:
        return super().now() + self.passed_s


async def test_a_conversation_lives_as_long_as_it_is_used() -> None:
    clock, chosen = MovableClock(), settings(limits={"session_ttl_seconds": 60})
    async with owned_clients("me", chosen=chosen, clock=clock) as [client]:
        used, left = await made(client, "a"), await made(client, "b")
        clock.passed_s = 50
        await post(client, f"{ALL}/{used}/items", {"items": [user("c")]})
        clock.passed_s = 70
        await get(client, f"{ALL}/{used}")
        await get(client, f"{ALL}/{left}", status=404)
        listed = (await get(client, ALL))["data"]
        clock.passed_s = 120
        await get(client, f"{ALL}/{used}", status=404)

    assert [each["id"] for each in listed] == [used]


async def test_the_last_changed_is_listed_first() -> None:
    clock = MovableClock()
    async with owned_clients("me", clock=clock) as [client]:
        ids = []
        for clock.passed_s in (1.0, 2.0, 3.0):
            ids.append(await made(client, "x"))
        clock.passed_s = 4
        await post(client, f"{ALL}/{ids[0]}/items", {"items": [user("y")]})
        listed = (await get(client, ALL))["data"]

    assert [each["id"] for each in listed] == [ids[0], ids[2], ids[1]]
