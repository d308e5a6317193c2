"""Who has scrolled away is left alone, and who stays at the end sees what comes."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from playwright.async_api import expect

from tests.browser.chat import Chat
from tests.browser.scripted import Scripted, said

BEFORE = "\n\n".join(f"Paragraph {n} of the answer." for n in range(60))
MORE = "And more. " * 200
AT_END = "(each) => each.scrollHeight - each.scrollTop - each.clientHeight < 8"
STANDS_STILL = """() => new Promise((done) => {
    const each = document.querySelector('.thread'), before = each.scrollTop;
    setTimeout(() => done(each.scrollTop === before), 150);
})"""
TOP = "(each) => each.scrollTop"

Away = Callable[[Chat], Awaitable[None]]


@pytest.fixture
async def reading(chat: Chat, server: Scripted) -> AsyncIterator[asyncio.Event]:
    """An answer of which much has come; the rest comes when the event is set."""
    go_on = asyncio.Event()
    server.model.say(
        *said(BEFORE, piece=400, is_end=False), go_on, *said(MORE, piece=20, pause_s=0.02)
    )
    await chat.send("Talk")
    await expect(chat.answer).to_contain_text("Paragraph 59")
    await chat.until(f"({AT_END})(document.querySelector('.thread'))")
    yield go_on
    go_on.set()


async def with_the_wheel(chat: Chat) -> None:
    box = await chat.thread.bounding_box()
    assert box
    await chat.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    await chat.page.mouse.wheel(0, -600)


async def with_the_keyboard(chat: Chat) -> None:
    await chat.thread.focus()
    await chat.page.keyboard.press("PageUp")


async def with_the_scrollbar(chat: Chat) -> None:
    # What dragging it amounts to: headless Chromium draws none.
    await chat.thread.evaluate("(each) => each.scrollTo({top: each.scrollTop - 700})")


@pytest.mark.parametrize("away", [with_the_wheel, with_the_keyboard, with_the_scrollbar])
async def test_the_page_stays_where_its_reader_is_and_follows_again_when_asked_to(
    chat: Chat, reading: asyncio.Event, away: Away
) -> None:
    await away(chat)
    await expect(chat.button("Go to the end")).to_be_visible()
    # A smooth scroll of the browser may still be under way.
    await chat.until(STANDS_STILL)
    before = await chat.thread.evaluate(TOP)
    reading.set()
    await expect(chat.answer).to_contain_text("And more. And more. And more. And more.")
    after = await chat.thread.evaluate(TOP)

    assert abs(after - before) <= 2
    await chat.button("Go to the end").click()
    await expect(chat.button("Go to the end")).to_be_hidden()
    await chat.wait_for_end()
    assert await chat.thread.evaluate(AT_END)


async def test_a_wheel_turned_inside_a_code_block_moves_the_code_only(
    chat: Chat, server: Scripted
) -> None:
    go_on = asyncio.Event()
    code = "\n".join(f"line_{number} = {number}" for number in range(120))
    server.model.say(
        *said(f"```python\n{code}\n```\n\nSo far. ", piece=400, is_end=False),
        go_on,
        *said(MORE, piece=20, pause_s=0.02),
    )
    await chat.send("Write code")
    block = chat.answers.last.locator("pre")
    await expect(chat.answer).to_contain_text("So far.")
    box = await chat.thread.bounding_box()
    assert box
    await chat.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    await chat.page.mouse.wheel(0, 400)
    await chat.until("document.querySelector('.code pre').scrollTop > 100")
    down = await block.evaluate(TOP)

    await chat.page.mouse.wheel(0, -80)
    await chat.until(f"document.querySelector('.code pre').scrollTop < {down}")
    go_on.set()
    await chat.wait_for_end()

    await expect(chat.button("Go to the end")).to_be_hidden()
    assert await chat.thread.evaluate(AT_END)
