"""What one sets for a conversation reaches the wire, and what the server counts is shown."""

import math
from typing import Any

import orjson
from playwright.async_api import expect

from frontend_api.domain.generation import Delta, Token
from tests.browser.chat import Chat, Wire
from tests.browser.conftest import NewChat
from tests.browser.scripted import Pause, Scripted, said

CHOSEN = {
    "Temperature": "0.2",
    "Top-p": "0.8",
    "Top-k": "7",
    "Longest answer": "33",
    "Repeat penalty": "1.3",
}
ON_THE_WIRE = {
    "temperature": 0.2,
    "top_p": 0.8,
    "top_k": 7,
    "max_output_tokens": 33,
    "repetition_penalty": 1.3,
    "stop": ["\n\n", "a,b"],
    "instructions": "Answer as a pirate.",
}


async def choose(chat: Chat) -> None:
    """Fill the settings of the conversation in view."""
    await chat.page.keyboard.press("Control+,")
    for label, value in CHOSEN.items():
        await chat.page.get_by_label(label, exact=True).fill(value)
    await chat.page.get_by_label("System prompt").fill("Answer as a pirate.")
    for number, stop in enumerate((r"\n\n", "a,b"), 1):
        await chat.button("Add a stop sequence").click()
        await chat.page.get_by_label(f"Stop sequence {number}", exact=True).fill(stop)
    await chat.page.keyboard.press("Escape")


def settings_of(frame: dict[str, Any]) -> dict[str, Any]:
    return {name: frame[name] for name in ON_THE_WIRE if name in frame}


async def test_the_settings_of_a_conversation_reach_the_wire_there_and_nowhere_else(
    new_chat: NewChat, server: Scripted
) -> None:
    chat, wire = await new_chat(), Wire()
    await wire.watch(chat.page)
    await chat.open()
    await choose(chat)

    await chat.ask("One")
    await chat.session_id()
    await chat.page.reload()
    await expect(chat.answers).to_have_count(1)
    await chat.ask("Two")
    await chat.page.get_by_role("link", name="New chat").click()
    await chat.ask("Elsewhere")

    one, two, elsewhere = wire.of_type("response.create")
    assert (settings_of(one), settings_of(two), settings_of(elsewhere)) == (
        ON_THE_WIRE,
        ON_THE_WIRE,
        {},
    )
    asked = server.model.requests[1]
    assert (asked.temperature, asked.top_p, asked.top_k, asked.max_tokens) == (0.2, 0.8, 7, 33)
    assert (asked.repetition_penalty, asked.stop) == (1.3, ("\n\n", "a,b"))


async def test_a_number_that_is_not_allowed_is_told_and_not_taken(
    new_chat: NewChat, server: Scripted
) -> None:
    chat, wire = await new_chat(), Wire()
    await wire.watch(chat.page)
    await chat.open()
    await chat.page.keyboard.press("Control+,")

    await chat.page.get_by_label("Temperature").fill("5")
    await expect(chat.page.get_by_text("A number from 0 to 2")).to_be_visible()
    await chat.page.keyboard.press("Escape")
    await chat.ask("Hello")

    assert "temperature" not in wire.of_type("response.create")[0]


async def test_a_dialog_closes_at_a_press_beside_it_and_not_at_one_on_its_scroll_bar(
    chat: Chat,
) -> None:
    dialog = chat.page.get_by_role("dialog", name="Settings")
    await chat.page.keyboard.press("Control+,")
    box = await dialog.bounding_box()
    assert box is not None

    for beside, is_open in ((-4, True), (4, False)):
        place = {"clientX": box["x"] + box["width"] + beside, "clientY": box["y"] + 50}
        await dialog.dispatch_event("pointerdown", {"bubbles": True, **place})
        await expect(dialog).to_be_visible(visible=is_open)


async def test_a_preset_is_kept_for_other_conversations(chat: Chat) -> None:
    # A page that comes over http from another machine does not have it.
    await chat.page.evaluate("delete Crypto.prototype.randomUUID")
    await chat.page.keyboard.press("Control+,")
    await chat.page.get_by_label("System prompt").fill("Answer as a pirate.")
    await chat.page.get_by_label("Name of the preset").fill("Pirate")
    await chat.button("Save as preset").click()
    await chat.page.keyboard.press("Escape")
    await chat.ask("One")
    await chat.page.get_by_role("link", name="New chat").click()

    await chat.page.keyboard.press("Control+,")
    await chat.button("Pirate").click()

    await expect(chat.page.get_by_label("System prompt")).to_have_value("Answer as a pirate.")


async def test_the_figures_below_an_answer_are_those_of_the_server(
    new_chat: NewChat, server: Scripted
) -> None:
    chat, wire = await new_chat(), Wire()
    await wire.watch(chat.page)
    await chat.open()
    server.model.say(Pause(0.3), *said("word " * 200, piece=5, pause_s=0.02))

    await chat.send("Count")
    await expect(chat.page.locator("[data-stat=live-rate]")).to_be_visible()
    await chat.wait_for_end()

    last = next(each for each in wire.received if each["type"] == "response.completed")
    usage = last["response"]["usage"]
    counted = usage["x_conch"]
    shown = chat.answers.last.locator("[data-stat]")
    await expect(shown.locator("xpath=self::*[@data-stat='tokens']")).to_have_text(
        f"{usage['output_tokens']} tokens"
    )
    await expect(shown.locator("xpath=self::*[@data-stat='rate']")).to_have_text(
        f"{counted['tokens_per_second']:.1f} tokens/s"
    )
    await expect(shown.locator("xpath=self::*[@data-stat='ttft']")).to_have_text(
        f"first token {counted['ttft_ms'] / 1000:.2f} s"
    )


def with_probabilities() -> list[Any]:
    """Return the steps of an answer whose tokens come with their likeliest alternatives."""
    steps = []
    for text, share, other in (("Yes", 0.5, "No"), (" sir", 0.25, " ma")):
        top = [(text, share), (other, 0.125)]
        alternatives = [
            {"token": each, "logprob": math.log(part), "bytes": list(each.encode())}
            for each, part in top
        ]
        token = Token(1, text.encode(), math.log(share), orjson.dumps(alternatives))
        steps.append(Delta(0, text, 1, None, (token,)))
    return [*steps, Delta(0, "", 0, "stop")]


async def test_the_probabilities_of_tokens_are_shown_and_walked_through_with_the_keyboard(
    chat: Chat, server: Scripted
) -> None:
    server.model.say(*with_probabilities())
    await chat.ask("Sure?")

    await chat.button("Token probabilities").press("Enter")
    first = chat.page.get_by_role("button", name="Yes, 50.0 %")
    await expect(first).to_be_visible()
    await first.focus()
    table = chat.page.get_by_role("table", name="Likeliest tokens here")
    await expect(table).to_contain_text("50.0 %")
    await chat.page.keyboard.press("ArrowRight")

    await expect(chat.page.get_by_role("button", name="sir, 25.0 %")).to_be_focused()
    await expect(table).to_contain_text("12.5 %")
    await expect(table).to_contain_text("62.5 %")  # what is left of 1


async def test_two_answers_are_compared_and_the_better_one_is_kept(
    chat: Chat, server: Scripted
) -> None:
    server.model.say(*said("An answer.", pause_s=0.01))
    await chat.composer.fill("Which one?")
    await chat.button("Compare").click()
    dialog = chat.page.get_by_role("dialog", name="Compare two answers")
    await dialog.get_by_role("group", name="Second").get_by_label("Temperature").fill("0.15")
    await dialog.get_by_role("button", name="Compare").click()

    await expect(chat.page.get_by_text("An answer.")).to_have_count(2)
    await chat.page.get_by_role("button", name="Keep this").last.click()

    await expect(chat.answers).to_have_count(1)
    await expect(chat.page.get_by_label("Version 2 of 2")).to_be_visible()
    assert sorted(request.temperature for request in server.model.requests) == [0.15, 1.0]


async def test_another_browser_has_the_settings_of_a_conversation(
    new_chat: NewChat, server: Scripted
) -> None:
    one, other = await new_chat(), await new_chat()
    await one.open()
    await choose(one)
    async with one.page.expect_response(
        lambda answer: "conch_settings" in (answer.request.post_data or "")
    ):
        await one.ask("One")
    await other.open(f"/c/{await one.session_id()}")
    await expect(other.answers).to_have_count(1)

    await other.ask("Two")

    asked = server.model.requests[-1]
    assert (asked.temperature, asked.top_k, asked.stop) == (0.2, 7, ("\n\n", "a,b"))
