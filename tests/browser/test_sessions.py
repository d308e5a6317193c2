"""The list of conversations: changed at once, taken back when refused, searched, exported."""

import json
from pathlib import Path
from typing import Any

import httpx
from playwright.async_api import Route, expect

from tests.browser.chat import Chat
from tests.browser.samples import SCRIPT
from tests.browser.scripted import Scripted, said


async def refuse_changes(route: Route) -> None:
    """Answer what would change something with a fault."""
    if route.request.method == "GET":
        await route.continue_()
        return
    error = {
        "message": "out of order",
        "type": "server_error",
        "param": None,
        "code": "internal_error",
    }
    await route.fulfill(status=500, json={"error": error})


async def hold(route: Route) -> None:
    """Never answer what would change something."""
    if route.request.method == "GET":
        await route.continue_()


def row(chat: Chat, title: str) -> Any:
    return chat.sidebar.get_by_role("listitem").filter(has_text=title)


async def test_a_new_name_shows_before_the_server_has_answered(chat: Chat) -> None:
    await chat.ask("Old name")
    await chat.session_id()
    await chat.page.route("**/v1/conversations/*", hold)

    await chat.act_on("Old name", "Rename")
    await chat.page.get_by_label("New title").fill("New name")
    await chat.page.keyboard.press("Enter")

    await expect(row(chat, "New name")).to_be_visible()


async def test_a_name_and_a_pin_are_kept(chat: Chat) -> None:
    await chat.ask("Old name")
    await chat.act_on("Old name", "Rename")
    await chat.page.get_by_label("New title").fill("New name")
    await chat.page.keyboard.press("Enter")
    await chat.act_on("New name", "Pin")
    pinned = chat.sidebar.get_by_role("region", name="Pinned")
    await expect(pinned).to_contain_text("New name")

    await chat.page.reload()

    await expect(pinned).to_contain_text("New name")


async def test_a_refused_change_is_taken_back_and_told(chat: Chat) -> None:
    await chat.ask("Old name")
    await chat.session_id()
    await chat.page.route("**/v1/conversations/*", refuse_changes)

    await chat.act_on("Old name", "Rename")
    await chat.page.get_by_label("New title").fill("New name")
    await chat.page.keyboard.press("Enter")

    await expect(chat.page.get_by_text("out of order").first).to_be_visible()
    await expect(row(chat, "Old name")).to_be_visible()
    announced = chat.page.locator("[aria-live=polite]")
    await expect(announced).to_contain_text("out of order")


async def test_a_deleted_conversation_comes_back_when_it_is_undone_and_else_is_gone(
    chat: Chat, server: Scripted
) -> None:
    await chat.ask("Keep me")
    await chat.page.get_by_role("link", name="New chat").click()
    await chat.ask("Delete me")
    await chat.act_on("Delete me", "Delete")
    await expect(row(chat, "Delete me")).to_be_hidden()
    await chat.button("Undo").click()
    await expect(row(chat, "Delete me")).to_be_visible()

    await chat.act_on("Delete me", "Delete")
    async with chat.page.expect_response(lambda answer: answer.request.method == "DELETE"):
        pass
    await chat.page.reload()

    await expect(row(chat, "Keep me")).to_be_visible()
    await expect(row(chat, "Delete me")).to_have_count(0)


async def test_a_word_inside_a_message_is_found_and_shown_in_its_place(
    chat: Chat, server: Scripted
) -> None:
    server.model.say(*said("A long way. " * 200 + "The xylophone stands here. " + "On. " * 400))
    await chat.ask("Where is it?")
    await chat.page.get_by_role("link", name="New chat").click()

    await chat.page.keyboard.press("Control+k")
    await chat.page.keyboard.type("xylophone")
    await chat.page.get_by_role("link", name="xylophone").click()

    await expect(chat.questions).to_have_text(["Where is it?"])
    await expect(chat.answers.last).to_be_focused()


async def test_an_exported_conversation_is_the_same_when_it_is_imported(
    chat: Chat, server: Scripted, tmp_path: Path
) -> None:
    server.model.say(*said(SCRIPT))
    await chat.ask("Export me")
    await chat.button("Answer again").click()
    await expect(chat.page.get_by_label("Version 2 of 2")).to_be_visible()
    await chat.wait_for_end()
    saved = {}
    for kind, name in (("json", "Export as JSON"), ("markdown", "Export as Markdown")):
        async with chat.page.expect_download() as download:
            await chat.act_on("Export me", name)
        file = await download.value
        saved[kind] = tmp_path / file.suggested_filename
        await file.save_as(saved[kind])

    async with chat.page.expect_file_chooser() as chooser:
        await chat.button("Import").click()
    await (await chooser.value).set_files(saved["json"])
    await expect(chat.page.get_by_text("One conversation was imported.").first).to_be_visible()
    await expect(chat.page.get_by_label("Version 2 of 2")).to_be_visible()
    imported = await chat.session_id()
    async with httpx.AsyncClient(base_url=server.url) as client:
        again = await client.get(f"/v1/conversations/{imported}/export?format=json")

    assert saved["markdown"].suffix == ".md"
    assert SCRIPT in saved["markdown"].read_text(encoding="utf-8")
    assert again.json() == json.loads(saved["json"].read_text(encoding="utf-8"))


async def test_a_conversation_continued_in_a_new_chat_leaves_the_old_one_alone(
    chat: Chat, server: Scripted
) -> None:
    await chat.ask("One")
    await chat.ask("Two")
    first = await chat.session_id()

    await chat.button("Continue in a new chat").nth(1).click()
    await expect(chat.questions).to_have_text(["One"])

    assert await chat.session_id() != first


async def test_a_link_to_an_old_conversation_shows_its_name(chat: Chat) -> None:
    await chat.ask("Old name")
    path = f"/c/{await chat.session_id()}"
    others = {"object": "list", "data": [], "has_more": True}
    await chat.page.route("**/v1/conversations?*", lambda route: route.fulfill(json=others))

    await chat.open(path)

    await expect(chat.page.get_by_role("heading", name="Old name", level=1)).to_be_visible()
