"""What an answer may do to the page: be read. Exact text, no markup of its own, nothing fetched."""

import random
from typing import Final

import pytest
from playwright.async_api import expect

from tests.browser.chat import Chat
from tests.browser.samples import ANSWER, SCRIPT
from tests.browser.scripted import Scripted, said

CODE: Final = 'const ways = ["</script>", "`", "~~~ not the end"];'
ATTACKS: Final = (
    "<script>window.pwned = 1</script>",
    '<img src=x onerror="window.pwned = 1">',
    "<svg onload=window.pwned=1></svg>",
    '<iframe srcdoc="<script>parent.pwned = 1</script>"></iframe>',
    "[a](javascript:window.pwned=1)",
    "[b](JaVaScRiPt:window.pwned=1)",
    "[c](data:text/html,<script>window.pwned=1</script>)",
    "[d](vbscript:x) [e](java\tscript:window.pwned=1)",
    "![f](javascript:window.pwned=1)",
    '<a href="javascript:window.pwned=1">g</a>',
    '<div style="position:fixed;inset:0" onclick="window.pwned=1">h</div>',
    "```html\n<script>window.pwned = 1</script>\n```",
    "$\\href{javascript:window.pwned=1}{i}$ $\\includegraphics{https://evil.example/x.png}$",
    "<style>body { display: none }</style>",
    '<form action="https://evil.example"><input name=k></form>',
)
SHAPE: Final = """(root) => {
    const seen = [...root.querySelectorAll('*')];
    return {
        pwned: window.pwned ?? null,
        tags: seen.filter((each) => /^(SCRIPT|IFRAME|IMG|OBJECT|EMBED|FORM|STYLE|LINK|BASE)$/i
            .test(each.tagName)).map((each) => each.outerHTML),
        handlers: seen.flatMap((each) => each.getAttributeNames())
            .filter((name) => name.startsWith('on')),
        links: seen.filter((each) => each.hasAttribute('href'))
            .map((each) => each.getAttribute('href')).filter((href) => !/^https?:/.test(href)),
    };
}"""


def chopped(text: str, seed: int) -> list[str]:
    """Return the text in pieces of 1 to 12 characters."""
    sizes = random.Random(seed)
    pieces, at = [], 0
    while at < len(text):
        size = sizes.randint(1, 12)
        pieces.append(text[at : at + size])
        at += size
    return pieces


async def whole_page(chat: Chat, sample: str) -> str:
    """Return the answer's HTML once the parts that load when they are wanted have drawn."""
    for mark, drawn in (("$", ".katex"), ("```", "[class^=hljs-]"), ("~~~", "[class^=hljs-]")):
        if mark in sample:
            await expect(chat.page.locator(drawn).first).to_be_visible()
    return await chat.answer.inner_html()


@pytest.mark.parametrize("sample", [ANSWER, SCRIPT], ids=["markdown", "fences"])
async def test_a_streamed_answer_ends_as_the_same_page_as_one_that_was_loaded(
    chat: Chat, server: Scripted, sample: str
) -> None:
    steps = [step for part in chopped(sample, 1) for step in said(part, piece=99, is_end=False)]
    server.model.say(*steps, *said(""))
    await chat.send("Show me")
    await chat.wait_for_end()
    await chat.session_id()
    streamed = await whole_page(chat, sample)

    await chat.page.reload()
    await expect(chat.answer).not_to_be_empty()

    assert await whole_page(chat, sample) == streamed


async def test_the_copy_button_of_a_code_block_copies_its_very_characters(
    chat: Chat, server: Scripted
) -> None:
    await chat.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    server.model.say(*said(SCRIPT))
    await chat.ask("Code")

    await chat.button("Copy code").click()

    copied = await chat.page.evaluate("navigator.clipboard.readText()")
    assert copied.rstrip("\n") == CODE


@pytest.mark.parametrize("piece", [3, 4096])
async def test_markup_in_an_answer_is_text(chat: Chat, server: Scripted, piece: int) -> None:
    server.model.say(*said("\n\n".join(ATTACKS), piece=piece))
    await chat.ask("Attack")
    found = await chat.thread.evaluate(SHAPE)

    await chat.page.reload()
    await expect(chat.answer).to_contain_text("window.pwned = 1")
    again = await chat.thread.evaluate(SHAPE)

    nothing: dict[str, object] = {"pwned": None, "tags": [], "handlers": [], "links": []}
    assert (found, again) == (nothing, nothing)


async def test_markup_in_a_title_is_text(chat: Chat, server: Scripted) -> None:
    title = "<img src=x onerror=window.pwned=1>"
    await chat.ask(title)

    await expect(chat.sidebar.get_by_role("link", name=title)).to_be_visible()
    found = await chat.sidebar.evaluate(SHAPE)

    assert (found["pwned"], found["handlers"]) == (None, [])
    assert not any("onerror" in tag for tag in found["tags"])


async def test_a_picture_from_elsewhere_is_a_link_that_says_where_it_leads(
    chat: Chat, server: Scripted
) -> None:
    server.model.say(*said("![secret](https://evil.example/p.png?q=1) [go](https://a.example/b)"))
    await chat.ask("Picture")

    # That nothing was fetched is seen by every test (Chat.faults).
    picture = chat.answer.locator("a[href^='https://evil.example']")
    await expect(picture).to_contain_text("evil.example")
    for link in (picture, chat.answer.locator("a[href^='https://a.example']")):
        await expect(link).to_have_attribute("rel", "noopener noreferrer")
        await expect(link).to_have_attribute("target", "_blank")
    await expect(chat.answer).to_contain_text("a.example")
