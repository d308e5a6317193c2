"""What happens to an answer when its page, its socket or its reader goes away."""

import asyncio

from playwright.async_api import expect

from tests.browser.chat import Chat, Wire
from tests.browser.conftest import NewChat
from tests.browser.scripted import Scripted, said

FIRST, SECOND = "Once upon a time, ", "there was a conch. " * 20


def in_two_halves(server: Scripted) -> asyncio.Event:
    """Let the model say the first half, and the second when the event is set."""
    go_on = asyncio.Event()
    server.model.say(*said(FIRST, is_end=False), go_on, *said(SECOND, piece=5, pause_s=0.02))
    return go_on


async def test_a_reload_in_the_middle_shows_what_was_said_and_goes_on_live(
    chat: Chat, server: Scripted
) -> None:
    go_on = in_two_halves(server)
    await chat.send("Tell me")
    await expect(chat.answer).to_have_text(FIRST.strip())
    await chat.session_id()

    await chat.page.reload()
    await expect(chat.answer).to_have_text(FIRST.strip())
    go_on.set()
    await expect(chat.answer).to_contain_text("there was a conch.")
    is_live = await chat.answers.last.get_attribute("data-status") == "in_progress"
    await chat.wait_for_end()

    assert is_live
    await expect(chat.answer).to_have_text((FIRST + SECOND).strip())
    assert len(server.model.requests) == 1


async def test_a_cut_socket_is_told_and_resumed_without_a_lost_or_doubled_character(
    new_chat: NewChat, server: Scripted
) -> None:
    chat, wire = await new_chat(), Wire()
    await wire.watch(chat.page)
    await chat.open()
    go_on = in_two_halves(server)
    await chat.send("Tell me")
    await expect(chat.answer).to_have_text(FIRST.strip())

    await wire.cut()
    await expect(chat.page.get_by_text("Reconnecting", exact=True)).to_be_visible()
    go_on.set()
    await asyncio.wait_for(server.model.closed.wait(), 10)
    wire.mend()
    await chat.wait_for_end(timeout_ms=30_000)

    resumes = wire.of_type("response.resume")
    assert resumes
    assert resumes[-1]["starting_after"] > 0
    await expect(chat.answer).to_have_text((FIRST + SECOND).strip())
    await expect(chat.page.get_by_text("Reconnecting", exact=True)).to_be_hidden()


async def test_frames_that_come_twice_are_said_once(new_chat: NewChat, server: Scripted) -> None:
    chat, wire = await new_chat(), Wire(times=2)
    await wire.watch(chat.page)
    await chat.open()
    server.model.say(*said(SECOND, piece=5, pause_s=0.005))

    answer = await chat.ask("Tell me")

    assert answer == SECOND.strip()


async def test_another_conversation_gets_nothing_of_it_and_the_list_marks_where_it_runs(
    chat: Chat, server: Scripted
) -> None:
    await chat.ask("The quiet one")
    await chat.page.get_by_role("link", name="New chat").click()
    go_on = in_two_halves(server)
    await chat.send("The busy one")
    await expect(chat.answer).to_have_text(FIRST.strip())

    await chat.sidebar.get_by_role("link", name="The quiet one").click()
    await expect(chat.questions).to_have_text(["The quiet one"])
    row = chat.sidebar.get_by_role("listitem").filter(has_text="The busy one")
    await expect(row.get_by_role("img", name="Answering")).to_be_visible()
    go_on.set()
    await expect(row.get_by_role("img", name="Answering")).to_be_hidden(timeout=15_000)
    await expect(chat.answers).to_have_count(1)
    await expect(chat.answer).to_have_text("A short answer.")

    await chat.sidebar.get_by_role("link", name="The busy one").click()
    await expect(chat.answer).to_have_text((FIRST + SECOND).strip())


async def test_two_tabs_show_the_same_growing_answer_and_one_message(
    chat: Chat, server: Scripted
) -> None:
    await chat.ask("Hello")
    address = f"/c/{await chat.session_id()}"
    other = Chat(await chat.page.context.new_page(), chat.url)
    await other.open(address)
    go_on = in_two_halves(server)

    await chat.send("Tell both")
    await expect(other.answer).to_have_text(FIRST.strip())
    go_on.set()
    await chat.wait_for_end()
    await other.wait_for_end()

    for each in (chat, other):
        await expect(each.questions).to_have_text(["Hello", "Tell both"])
        await expect(each.answer).to_have_text((FIRST + SECOND).strip())
    assert other.faults == []


async def test_a_server_that_is_gone_for_a_while_is_found_again(
    new_chat: NewChat, server: Scripted
) -> None:
    chat, wire = await new_chat(), Wire()
    await wire.watch(chat.page)
    await chat.open()
    await wire.cut()
    await expect(chat.page.get_by_text("Reconnecting", exact=True)).to_be_visible()

    wire.mend()
    await chat.button("Reconnect now").click()

    await expect(chat.page.get_by_text("Reconnecting", exact=True)).to_be_hidden()
    assert await chat.ask("Are you there?") == "A short answer."
