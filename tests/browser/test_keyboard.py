"""Everything can be done with the keyboard, and nobody is told more than they need to hear."""

from playwright.async_api import expect

from tests.browser.chat import Chat
from tests.browser.scripted import Scripted, said

LISTEN = """
    window.announced = [];
    const region = document.querySelector('[aria-live=polite]');
    new MutationObserver(() => announced.push(region.textContent))
        .observe(region, {childList: true, characterData: true, subtree: true});
"""


async def test_the_start_and_the_end_of_an_answer_are_announced_and_nothing_between(
    chat: Chat, server: Scripted
) -> None:
    server.model.say(*said("word " * 500, piece=5, pause_s=0.002))
    await chat.page.evaluate(LISTEN)

    await chat.ask("Talk")

    announced = await chat.page.evaluate("announced")
    assert [text for text in announced if text] == ["The answer begins.", "The answer is complete."]
    await expect(chat.thread).to_have_attribute("aria-live", "off")


async def test_a_whole_visit_needs_no_mouse(chat: Chat, server: Scripted) -> None:
    keyboard = chat.page.keyboard
    await keyboard.type("First question")
    await keyboard.press("Enter")
    await chat.wait_for_end()
    await chat.button("Answer again").focus()
    await keyboard.press("Enter")
    await expect(chat.page.get_by_label("Version 2 of 2")).to_be_visible()
    await expect(chat.composer).to_be_focused()
    await chat.wait_for_end()
    await chat.button("Earlier version").focus()
    await keyboard.press("Enter")
    await expect(chat.page.get_by_label("Version 1 of 2")).to_be_visible()
    await expect(chat.button("Later version")).to_be_focused()

    await keyboard.press("Control+Shift+O")
    await expect(chat.composer).to_be_focused()
    await expect(chat.questions).to_have_count(0)
    await keyboard.press("Control+k")
    await keyboard.type("short answer")
    await expect(chat.page.get_by_text("messages found")).to_be_visible()
    await keyboard.press("ArrowDown")
    await keyboard.press("Enter")

    await expect(chat.questions).to_have_text(["First question"])


async def test_the_focus_returns_to_what_opened_a_dialog_or_a_menu(chat: Chat) -> None:
    await chat.ask("Hello")
    openers = [
        chat.sidebar.get_by_role("button", name="Search"),
        chat.sidebar.get_by_role("button", name="Settings"),
        chat.sidebar.get_by_role("button", name="Actions for"),
        chat.page.get_by_role("button", name="Model: demo"),
    ]

    for opener in openers:
        await opener.focus()
        await chat.page.keyboard.press("Enter")
        await expect(opener).not_to_be_focused()
        await chat.page.keyboard.press("Escape")
        await expect(opener).to_be_focused()


async def test_the_sheet_of_shortcuts_opens_with_a_question_mark_but_not_while_typing(
    chat: Chat,
) -> None:
    sheet = chat.page.get_by_role("dialog", name="Keyboard shortcuts")
    await chat.page.keyboard.press("?")
    await expect(chat.composer).to_have_value("?")
    await expect(sheet).to_be_hidden()

    await chat.thread.focus()
    await chat.page.keyboard.press("?")

    await expect(sheet).to_be_visible()


async def test_the_focus_stays_near_a_conversation_that_is_renamed_and_deleted(chat: Chat) -> None:
    await chat.ask("Hello")

    await chat.act_on("Hello", "Rename")
    await chat.page.keyboard.press("Escape")
    await expect(chat.sidebar.get_by_role("link", name="Hello")).to_be_focused()
    await chat.page.get_by_role("link", name="Usage").click()
    await chat.page.get_by_role("link", name="New chat").click()
    await chat.act_on("Hello", "Delete")

    await expect(chat.composer).to_be_focused()


async def test_a_menu_is_walked_through_with_the_arrows(chat: Chat) -> None:
    await chat.ask("Hello")
    await chat.sidebar.get_by_role("button", name="Actions for").focus()
    await chat.page.keyboard.press("Enter")
    await expect(chat.page.get_by_role("menuitem", name="Rename")).to_be_focused()

    await chat.page.keyboard.press("ArrowDown")
    await chat.page.keyboard.press("Enter")

    await expect(chat.sidebar.get_by_role("region", name="Pinned")).to_contain_text("Hello")
