"""A conversation in the browser: sent, streamed, stopped, answered again, edited, kept."""

import asyncio

from playwright.async_api import expect

from tests.browser.chat import Chat, Wire
from tests.browser.conftest import NewChat
from tests.browser.scripted import Pause, Scripted, said
from tests.web.fakes import HANG


async def test_a_message_is_answered_and_both_are_there_after_a_reload(
    chat: Chat, server: Scripted
) -> None:
    server.model.say(*said("The sea is **wide** and blue.", pause_s=0.01))

    answer = await chat.ask("What is the sea?")
    await chat.session_id()
    await chat.page.reload()

    assert answer == "The sea is wide and blue."
    await expect(chat.questions).to_have_text(["What is the sea?"])
    await expect(chat.answer).to_have_text("The sea is wide and blue.")


async def test_escape_stops_the_answer_and_what_was_said_stays(
    new_chat: NewChat, server: Scripted
) -> None:
    chat, wire = await new_chat(), Wire()
    await wire.watch(chat.page)
    await chat.open()
    server.model.say(*said("Once upon a time", is_end=False), HANG)
    await chat.send("Tell me a story")
    await expect(chat.answer).to_have_text("Once upon a time")

    await chat.page.keyboard.press("Escape")
    await chat.wait_for_end("cancelled")
    await chat.page.reload()

    assert len(wire.of_type("response.cancel")) == 1
    await expect(chat.answer).to_have_text("Once upon a time")
    await expect(chat.answers.last).to_contain_text("Stopped")
    assert server.model.num_open == 0


async def test_answering_again_makes_a_second_version_and_keeps_the_first(
    chat: Chat, server: Scripted
) -> None:
    server.model.say(*said("The first answer."))
    await chat.ask("Say something")
    server.model.say(*said("The second answer."))

    await chat.button("Answer again").click()
    await expect(chat.answer).to_have_text("The second answer.")
    await expect(chat.page.get_by_label("Version 2 of 2")).to_be_visible()
    async with chat.page.expect_response("**/head"):
        await chat.button("Earlier version").click()
    await expect(chat.answer).to_have_text("The first answer.")
    await chat.page.reload()

    await expect(chat.answer).to_have_text("The first answer.")
    await expect(chat.page.get_by_label("Version 1 of 2")).to_be_visible()


async def test_an_edited_message_begins_a_branch_and_the_old_path_comes_back_whole(
    chat: Chat, server: Scripted
) -> None:
    server.model.say(*said("Answer one."))
    await chat.ask("Question one")
    await chat.ask("Question two")
    server.model.say(*said("Answer to the edited."))

    await chat.button("Edit").first.click()
    await chat.page.get_by_label("Edit the message").fill("Question one, edited")
    await chat.button("Send").first.click()
    await expect(chat.questions).to_have_text(["Question one, edited"])
    await expect(chat.answer).to_have_text("Answer to the edited.")
    asked = server.model.requests[-1].prompt
    await chat.button("Earlier version").click()

    await expect(chat.questions).to_have_text(["Question one", "Question two"])
    assert "Question one, edited" in str(asked)
    assert "Question two" not in str(asked)


async def test_a_draft_survives_a_reload_and_a_switch_and_goes_with_what_is_sent(
    chat: Chat, server: Scripted
) -> None:
    await chat.ask("First")
    await chat.session_id()
    await chat.composer.fill("half a thou")
    await chat.page.reload()
    await expect(chat.composer).to_have_value("half a thou")
    await chat.page.get_by_role("link", name="New chat").click()
    await expect(chat.composer).to_have_value("")

    await chat.sidebar.get_by_role("link", name="First").click()
    await expect(chat.composer).to_have_value("half a thou")
    await chat.composer.press("End")
    await chat.page.keyboard.type("ght")
    await chat.page.keyboard.press("Enter")

    await expect(chat.questions).to_have_text(["First", "half a thought"])
    await expect(chat.composer).to_have_value("")


async def test_one_may_type_while_the_answer_comes_and_what_is_sent_waits_for_its_end(
    chat: Chat, server: Scripted
) -> None:
    go_on = asyncio.Event()
    server.model.say(*said("Begun", is_end=False), go_on, *said(" and ended."))
    await chat.send("One")
    await expect(chat.answer).to_have_text("Begun")

    await chat.send("Two")
    queued = chat.page.get_by_role("list", name="To be sent next")
    await expect(queued).to_contain_text("Two")
    go_on.set()

    await expect(chat.questions).to_have_text(["One", "Two"])
    await expect(queued).to_be_hidden()
    await chat.wait_for_end()


async def test_enter_of_an_input_method_does_not_send_and_shift_enter_is_a_new_line(
    chat: Chat, server: Scripted
) -> None:
    await chat.composer.fill("ni")
    await chat.composer.evaluate(
        """(field) => field.dispatchEvent(new KeyboardEvent('keydown',
            {key: 'Enter', bubbles: true, cancelable: true, isComposing: true, keyCode: 229}))"""
    )
    await chat.composer.press("Shift+Enter")

    await expect(chat.composer).to_have_value("ni\n")
    assert server.model.requests == []


async def test_a_slow_answer_says_for_how_long_one_waits(chat: Chat, server: Scripted) -> None:
    server.model.say(Pause(2.5), *said("Now."))

    await chat.send("Think")
    await expect(chat.answers.last).to_contain_text("2 s")

    await chat.wait_for_end()
    await expect(chat.answer).to_have_text("Now.")
