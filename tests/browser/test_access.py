"""Keys, limits and what belongs to others."""

from playwright.async_api import expect

from tests.browser.chat import Chat
from tests.browser.conftest import NewChat
from tests.browser.scripted import Scripted, running_scripted
from tests.web.keyed import KEYS, with_keys

PLAIN = {"title_by_model": False}


async def sign_in(chat: Chat, key: str) -> None:
    """Type the key."""
    await chat.page.get_by_label("API key").fill(key)
    await chat.page.keyboard.press("Enter")


async def test_a_key_is_asked_for_and_afterwards_one_is_where_one_wanted_to_be(
    new_chat: NewChat, built: None
) -> None:
    async with running_scripted(with_keys(store=PLAIN)) as server:
        chat = await new_chat(server.url)
        await chat.page.goto(f"{server.url}/usage")
        await sign_in(chat, "ck_no-such-key-000000")
        await expect(chat.page.get_by_role("alert")).to_contain_text("does not know this key")
        await sign_in(chat, KEYS["all"])

        await expect(chat.page.get_by_role("heading", name="Usage")).to_be_visible()
        await chat.page.get_by_role("link", name="New chat").click()
        assert await chat.ask("Hello") == "A short answer."
        await chat.page.reload()
        await expect(chat.answer).to_have_text("A short answer.")
        await chat.page.context.close()


async def test_somebody_elses_conversation_is_not_found_and_shows_nothing(
    new_chat: NewChat, built: None
) -> None:
    async with running_scripted(with_keys(store=PLAIN)) as server:
        alice, mallory = await new_chat(server.url), await new_chat(server.url)
        await alice.page.goto(server.url)
        await sign_in(alice, KEYS["all"])
        await alice.ask("My secret")
        address = f"/c/{await alice.session_id()}"

        await mallory.page.goto(server.url + address)
        await sign_in(mallory, KEYS["other"])
        await expect(mallory.page.get_by_text("not found").first).to_be_visible()
        await expect(mallory.page.get_by_text("secret")).to_have_count(0)
        for chat in (alice, mallory):
            await chat.page.context.close()


async def test_after_too_many_requests_one_is_told_for_how_long_to_wait_and_keeps_the_draft(
    new_chat: NewChat, built: None
) -> None:
    limits = {"default_rate_limit_per_minute": 1}
    async with running_scripted(with_keys(store=PLAIN, limits=limits)) as server:
        chat = await new_chat(server.url)
        await chat.page.goto(server.url)
        await sign_in(chat, KEYS["all"])
        await chat.ask("The one that is allowed")

        await chat.send("One too many")
        await expect(chat.page.get_by_text("Too many requests: try again in")).to_be_visible()

        await expect(chat.composer).to_have_value("One too many")
        await expect(chat.answers).to_have_count(1)
        await chat.page.context.close()


async def test_the_usage_of_ones_key_is_shown(chat: Chat, server: Scripted) -> None:
    await chat.ask("Hello")

    await chat.page.get_by_role("link", name="Usage").click()

    await expect(chat.page.get_by_text("1 request,")).to_be_visible()
    await expect(chat.page.get_by_role("cell", name="demo")).to_be_visible()
