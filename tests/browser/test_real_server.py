"""The web chat on a whole Conch: the real Triton with demo and simulated models, a real mongod."""

import httpx
import pytest
from playwright.async_api import expect

from tests.browser.chat import Chat
from tests.browser.conftest import NewChat
from tests.e2e.conch_process import Conch, until_async

# Of the end-to-end tests: a Conch of two workers whose sessions are in a mongod.
from tests.e2e.conftest import arguments, mongod, repository, stored

__all__ = ["arguments", "mongod", "repository", "stored"]


@pytest.fixture
async def chat(new_chat: NewChat, stored: Conch) -> Chat:
    """A page at the real server, open at a new chat."""
    chat = await new_chat(stored.url)
    await chat.open()
    return chat


async def choose(chat: Chat, model: str) -> None:
    """Choose the model of the conversation in view."""
    await chat.page.get_by_role("button", name="Model:").click()
    await chat.page.get_by_role("menuitemradio", name=model).click()


async def kept(conch: Conch, session_id: str) -> list[str]:
    """Return the texts of the messages as the server has them."""
    async with httpx.AsyncClient(base_url=conch.url, timeout=30) as client:
        items = (await client.get(f"/v1/conversations/{session_id}/items?order=asc")).json()
    return [part["text"] for item in items["data"] for part in item["content"]]


async def test_the_bundled_model_answers_and_the_store_has_what_the_page_shows(
    chat: Chat, stored: Conch
) -> None:
    await choose(chat, "demo")
    await chat.page.keyboard.press("Control+,")
    await chat.page.get_by_label("Temperature").fill("0")
    await chat.page.get_by_label("Longest answer").fill("40")
    await chat.page.keyboard.press("Escape")

    await chat.send("What is Conch?")
    await expect(chat.page.locator("[data-stat=finish]")).to_be_visible()
    question, answer = await kept(stored, await chat.session_id())

    assert question == "What is Conch?"
    assert " ".join((await chat.answer.inner_text()).split()) == " ".join(answer.split())
    await expect(chat.page.locator("[data-stat=rate]")).to_be_visible()


async def test_every_model_says_what_it_is(chat: Chat) -> None:
    await chat.page.get_by_role("button", name="Model:").click()

    await expect(chat.page.get_by_role("menuitemradio", name="demo")).to_contain_text("Ready")
    await expect(chat.page.get_by_role("menuitemradio", name="slow")).to_contain_text("simulated")


async def test_an_answer_goes_on_through_a_reload_and_a_killed_worker_is_told(
    chat: Chat, stored: Conch
) -> None:
    await choose(chat, "slow")
    await chat.send("Go on for a while")
    await expect(chat.answer).to_contain_text("simulated engine")
    session_id = await chat.session_id()
    await chat.page.reload()
    await expect(chat.answer).to_contain_text("words mean nothing")

    for worker in stored.workers():
        worker.kill()
    # When its lease is over, and somebody has looked.
    await chat.wait_for_end("incomplete", timeout_ms=45_000)
    await until_async(stored.is_ready, "the workers are back")

    shown = await chat.answer.inner_text()
    _, answer = await kept(stored, session_id)
    assert answer.strip().startswith(shown.strip()[:60])
    # And it serves again.
    await choose(chat, "steady")
    await chat.send("Still there?")
    await expect(chat.answer).to_contain_text("simulated engine")
