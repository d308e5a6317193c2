"""The main views in both themes, on a desk and on a phone: without serious findings of axe.

The pictures lie in tests/browser/shots, to be looked at.
"""

from typing import Final

import pytest
from playwright.async_api import expect

from scripts.launcher.bootstrap import ROOT
from tests.browser.chat import Chat
from tests.browser.conftest import SHOTS, NewChat
from tests.browser.samples import ANSWER
from tests.browser.scripted import Pause, Scripted, said, store_talks

AXE: Final = ROOT / "webapp" / "node_modules" / "axe-core" / "axe.min.js"
TALKS: Final = (
    "A letter to the harbour master",
    "Regular expressions, explained",
    "Names for a sailing boat",
    "Spanish verbs of motion",
    "Why is the sea salt?",
)


async def serious_findings(chat: Chat) -> list[str]:
    """Return what axe finds on the page that keeps people out."""
    await chat.page.evaluate(AXE.read_text(encoding="utf-8"))
    found = await chat.page.evaluate(
        "axe.run(document, {resultTypes: ['violations']}).then(({violations}) => violations)"
    )
    return [
        f"{each['id']}: {[node['target'] for node in each['nodes']]}"
        for each in found
        if each["impact"] in ("serious", "critical")
    ]


async def shoot(chat: Chat, name: str) -> None:
    """Keep a picture of the page."""
    SHOTS.mkdir(exist_ok=True)
    await chat.page.screenshot(path=str(SHOTS / f"{name}.png"))


@pytest.mark.parametrize("theme", ["light", "dark"])
async def test_no_view_keeps_anybody_out(new_chat: NewChat, server: Scripted, theme: str) -> None:
    await store_talks(server, TALKS)
    chat = await new_chat(color_scheme=theme, reduced_motion="reduce")
    server.model.say(Pause(0.2), *said(ANSWER, piece=4, pause_s=0.01))
    await chat.open()
    findings = {"new": await serious_findings(chat)}
    await shoot(chat, f"new-{theme}")

    await chat.ask("What is a conch?")
    await expect(chat.page.locator(".katex").first).to_be_visible()
    findings["thread"] = await serious_findings(chat)
    await shoot(chat, f"thread-{theme}")
    await chat.page.keyboard.press("Control+,")
    findings["settings"] = await serious_findings(chat)
    await shoot(chat, f"settings-{theme}")
    await chat.page.keyboard.press("Escape")
    await chat.page.keyboard.press("Control+k")
    await chat.page.keyboard.type("spire")
    await expect(chat.page.get_by_role("status").filter(has_text="1 message")).to_be_visible()
    findings["search"] = await serious_findings(chat)
    await shoot(chat, f"search-{theme}")
    await chat.page.keyboard.press("Escape")
    await chat.page.get_by_role("link", name="Usage").click()
    findings["usage"] = await serious_findings(chat)
    await shoot(chat, f"usage-{theme}")

    assert findings == {view: [] for view in findings}
