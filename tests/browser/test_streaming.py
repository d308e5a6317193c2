"""Frames that come out of order, and an answer that is a long time coming."""

import json
import re

from playwright.async_api import Page, WebSocketRoute, expect

from tests.browser.chat import Wire
from tests.browser.conftest import NewChat
from tests.browser.scripted import Pause, Scripted, running_scripted, said
from tests.web.running import settings

# Numbered, so that what is lost, doubled or swapped is seen.
TEXT = " ".join(f"w{number}" for number in range(150))
PACE_S = 0.02


async def test_frames_out_of_order_do_not_change_the_text(
    new_chat: NewChat, server: Scripted
) -> None:
    server.model.say(*said(TEXT, piece=40, pause_s=PACE_S))
    chat = await new_chat()
    await swap_frames(chat.page)
    await chat.open()

    answer = await chat.ask("Go")

    assert answer == TEXT


async def swap_frames(page: Page) -> None:
    """Let every fourth piece of the answers come after the one that follows it."""
    held: list[str | bytes] = []

    def stand_between(socket: WebSocketRoute) -> None:
        server = socket.connect_to_server()

        def down(message: str | bytes) -> None:
            event = json.loads(message)
            if event["type"].endswith(".delta") and event["sequence_number"] % 4 == 0 and not held:
                held.append(message)
                return
            socket.send(message)
            while held:
                socket.send(held.pop())

        server.on_message(down)

    await page.route_web_socket("**/v1/responses", stand_between)


async def test_a_minute_of_heartbeats_is_no_error(new_chat: NewChat) -> None:
    quick = settings(server={"keepalive_interval_s": 0.05}, store={"title_by_model": False})
    async with running_scripted(quick) as server:
        server.model.say(Pause(4), *said(TEXT))
        chat, wire = await new_chat(url=server.url), Wire()
        await wire.watch(chat.page)
        await chat.open()
        await chat.page.clock.install()
        await chat.send("Go")
        await expect(chat.answers.last).to_have_attribute("data-status", "in_progress")

        for _ in range(13):
            seen = len(wire.received)
            await chat.page.clock.run_for(5000)
            while len(wire.received) == seen:
                await chat.page.wait_for_timeout(10)
        waiting = await chat.answers.last.locator("[data-part=waiting]").inner_text()
        state = await chat.page.locator(".connection").get_attribute("data-state")
        await chat.page.clock.resume()
        await chat.wait_for_end()

    assert int(re.findall(r"\d+", waiting)[-1]) >= 60
    assert state == "online"
    await expect(chat.answer).to_have_text(TEXT)
