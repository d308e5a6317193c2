"""The web chat as its user sees it: what can be done on the page, and what it shows."""

import json
import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from playwright.async_api import ConsoleMessage, Locator, Page, Request, WebSocketRoute, expect

LIMIT_MS = 15_000


@dataclass
class Wire:
    """The socket between the page and the server: seen, cut, and mended."""

    sent: list[dict[str, Any]] = field(default_factory=list)
    received: list[dict[str, Any]] = field(default_factory=list)
    is_cut: bool = False
    # How often each frame of the server comes: 2 doubles all of them.
    times: int = 1
    _open: list[WebSocketRoute] = field(default_factory=list)

    async def watch(self, page: Page) -> None:
        """Stand in the way of the page's sockets from now on."""
        await page.route_web_socket("**/v1/responses", self._stand_between)

    async def _stand_between(self, socket: WebSocketRoute) -> None:
        if self.is_cut:
            await socket.close(code=1011)
            return
        self._open.append(socket)
        server = socket.connect_to_server()

        def up(message: str | bytes) -> None:
            self.sent.append(json.loads(message))
            server.send(message)

        def down(message: str | bytes) -> None:
            if self.is_cut:
                return
            self.received.append(json.loads(message))
            for _ in range(self.times):
                socket.send(message)

        socket.on_message(up)
        server.on_message(down)

    async def cut(self) -> None:
        """End all sockets, and let none through until it is mended."""
        self.is_cut = True
        for socket in self._open:
            await socket.close(code=1011)
        self._open.clear()

    def mend(self) -> None:
        """Let sockets through again."""
        self.is_cut = False

    def of_type(self, kind: str) -> list[dict[str, Any]]:
        """Return what the page has sent of that type."""
        return [message for message in self.sent if message["type"] == kind]


@dataclass
class Chat:
    """One page with the web chat, and everything that must not happen on it."""

    page: Page
    url: str
    faults: list[str] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.set_default_timeout(LIMIT_MS)
        self.page.on("pageerror", lambda error: self.faults.append(f"error: {error}"))
        self.page.on("console", self._on_console)
        self.page.on("request", self._on_request)
        self.page.on("dialog", lambda dialog: self.faults.append(f"dialog: {dialog.message}"))

    def _on_console(self, message: ConsoleMessage) -> None:
        # A refused request is told there as well; what the page makes of it is tested on the page.
        if message.type == "error" and "Failed to load resource" not in message.text:
            self.faults.append(f"console: {message.text}")

    def _on_request(self, request: Request) -> None:
        self.requests.append(request)
        if urlsplit(request.url).netloc not in ("", urlsplit(self.url).netloc):
            self.faults.append(f"foreign request: {request.url}")

    async def open(self, path: str = "/") -> None:
        """Go to an address and wait for the page to be usable."""
        await self.page.goto(self.url + path)
        await expect(self.composer).to_be_focused()

    @property
    def composer(self) -> Locator:
        """The message field."""
        return self.page.locator("#composer")

    @property
    def thread(self) -> Locator:
        """The scroller with the messages."""
        return self.page.locator(".thread")

    @property
    def answers(self) -> Locator:
        """All answers in view."""
        return self.page.locator("article[data-role=assistant]")

    @property
    def questions(self) -> Locator:
        """The texts of all messages of the user in view."""
        return self.page.locator("article[data-role=user] .said")

    @property
    def answer(self) -> Locator:
        """The last answer's text."""
        return self.answers.last.locator("[data-part=text]").last

    @property
    def sidebar(self) -> Locator:
        """The list of conversations and what is around it."""
        return self.page.get_by_role("navigation", name="Conversations")

    def button(self, name: str) -> Locator:
        """The button of that name."""
        return self.page.get_by_role("button", name=name, exact=True)

    async def send(self, text: str) -> None:
        """Type a message and send it."""
        await self.composer.fill(text)
        await self.composer.press("Enter")

    async def ask(self, text: str) -> str:
        """Send a message and return what the model said, once it has ended."""
        number = await self.answers.count()
        await self.send(text)
        await expect(self.answers).to_have_count(number + 1)
        await self.wait_for_end()
        return await self.answer.inner_text()

    async def wait_for_end(self, status: str = "completed", timeout_ms: float = LIMIT_MS) -> None:
        """Wait until the last answer has ended so."""
        await expect(self.answers.last).to_have_attribute("data-status", status, timeout=timeout_ms)

    async def until(self, expression: str) -> None:
        """Return when the expression is true on the page (whose policy forbids to wait there)."""
        deadline = time.monotonic() + LIMIT_MS / 1000
        while not await self.page.evaluate(expression):
            assert time.monotonic() < deadline, f"never true: {expression}"
            await self.page.wait_for_timeout(20)

    async def act_on(self, title: str, action: str) -> None:
        """Choose from the menu of a conversation in the list."""
        await self.sidebar.get_by_role("button", name=f"Actions for “{title}”").click()
        await self.page.get_by_role("menuitem", name=action).click()

    async def session_id(self) -> str:
        """Return the id of the conversation that the address names, once it does."""
        await self.page.wait_for_url("**/c/*")
        return urlsplit(self.page.url).path.removeprefix("/c/")
