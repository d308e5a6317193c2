"""A real Chromium, the web chat as it is built, and two servers: a real one and a scripted one."""

import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Final

import pytest
from playwright.async_api import Browser, async_playwright, expect

from scripts.launcher import webapp
from tests.browser.chat import LIMIT_MS, Chat
from tests.browser.scripted import Scripted, running_scripted

CHROMIUM = os.environ.get("CHROMIUM_PATH", "/usr/bin/chromium")
SHOTS = Path(__file__).parent / "shots"

DESKTOP: Final = {"width": 1280, "height": 800}

NewChat = Callable[..., Awaitable[Chat]]


# The checks run on machines that do other things as well.
expect.set_options(timeout=LIMIT_MS)


@pytest.fixture(scope="session")
def built() -> None:
    """The web chat, built of its sources as they are."""
    said: list[str] = []
    webapp.build(said.append)
    assert said in ([], ["Building the web chat ..."]), said


@pytest.fixture(scope="session")
async def browser(built: None) -> AsyncIterator[Browser]:
    """One Chromium for all tests."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        yield browser
        await browser.close()


@pytest.fixture
async def server(built: None) -> AsyncIterator[Scripted]:
    """A server with an empty store, whose model says what the test wants."""
    async with running_scripted() as server:
        yield server


@pytest.fixture
async def new_chat(browser: Browser, server: Scripted) -> AsyncIterator[NewChat]:
    """Make pages, each in a profile of its own; none may do what a page must never do."""
    chats: list[Chat] = []
    async with AsyncExitStack() as stack:

        async def make(url: str = server.url, **options: Any) -> Chat:
            context = await browser.new_context(**{"viewport": DESKTOP, **options})
            stack.push_async_callback(context.close)
            chat = Chat(await context.new_page(), url)
            chats.append(chat)
            return chat

        yield make
    assert [fault for chat in chats for fault in chat.faults] == []


@pytest.fixture
async def chat(new_chat: NewChat) -> Chat:
    """A page at the scripted server, open at a new chat."""
    chat = await new_chat()
    await chat.open()
    return chat
