"""The web chat's page and files: whole builds, kept by browsers for as long as they are good."""

import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import httpx
import pytest
from quart import Quart

from frontend_api.web.errors import install_error_handlers
from frontend_api.web.webapp import webapp_routes
from tests.web.running import running_app

PAGE = "<!doctype html><title>The chat</title>"
SCRIPT = "/assets/index-B2v3_x9Q.js"
ICON = "/assets/icon.svg"


@pytest.fixture
def built(tmp_path: Path) -> Path:
    (tmp_path / "assets" / "fonts").mkdir(parents=True)
    (tmp_path / "index.html").write_text(PAGE)
    (tmp_path / SCRIPT[1:]).write_text("start();")
    (tmp_path / ICON[1:]).write_text("<svg/>")
    (tmp_path / "assets" / "fonts" / "sea-Ab12Cd34.woff2").write_bytes(b"wOF2")
    (tmp_path / "stamp.json").write_text("{}")
    return tmp_path


@asynccontextmanager
async def chat_of(built: Path) -> AsyncIterator[httpx.AsyncClient]:
    app = Quart("test", static_folder=None)
    install_error_handlers(app)
    app.register_blueprint(webapp_routes(built))
    transport = httpx.ASGITransport(cast(Any, app))
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        yield client


@pytest.mark.parametrize("address", ["/", "/c/conv_1", "/usage"])
async def test_the_page_is_sent_under_each_address_and_asked_for_again(
    built: Path, address: str
) -> None:
    async with chat_of(built) as client:
        answer = await client.get(address)

    assert answer.text == PAGE
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["cache-control"] == "no-cache"


async def test_a_file_with_its_hash_in_its_name_is_kept_for_ever_and_others_are_not(
    built: Path,
) -> None:
    async with chat_of(built) as client:
        script, icon = await client.get(SCRIPT), await client.get(ICON)

    assert script.headers["content-type"] == "text/javascript; charset=utf-8"
    assert script.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert icon.headers["cache-control"] == "no-cache"


async def test_a_file_that_the_browser_has_is_not_sent_again(built: Path) -> None:
    async with chat_of(built) as client:
        first = await client.get("/")
        again = await client.get("/", headers={"if-none-match": first.headers["etag"]})

    assert (again.status_code, again.content) == (304, b"")


async def test_text_is_packed_for_those_who_take_it_and_fonts_are_not(built: Path) -> None:
    takes = {"accept-encoding": "gzip, deflate, br"}
    async with chat_of(built) as client:
        script = await client.get(SCRIPT, headers=takes)
        font = await client.get("/assets/fonts/sea-Ab12Cd34.woff2", headers=takes)

    assert script.headers["content-encoding"] == "gzip"
    assert script.text == "start();"
    assert "content-encoding" not in font.headers
    assert (font.headers["content-type"], font.content) == ("font/woff2", b"wOF2")


@pytest.mark.parametrize(
    "address",
    ["/assets/none.js", "/assets/../stamp.json", "/assets/%2e%2e/stamp.json", "/stamp.json"],
)
async def test_nothing_beside_the_built_files_is_handed_out(built: Path, address: str) -> None:
    async with chat_of(built) as client:
        answer = await client.get(address)

    assert answer.status_code == 404
    assert answer.json()["error"]["message"]


async def test_a_page_stays_with_the_files_of_its_build(built: Path) -> None:
    async with chat_of(built) as client:
        (built / "index.html").write_text("of the next build")
        (built / SCRIPT[1:]).unlink()
        page, script = await client.get("/"), await client.get(SCRIPT)

    assert page.text == PAGE
    assert script.status_code == 200


def test_a_build_may_take_the_place_of_another_while_it_is_read(tmp_path: Path) -> None:
    built, other = tmp_path / "dist", tmp_path / "other"
    for folder in (built, other):
        (folder / "assets").mkdir(parents=True)
        (folder / "index.html").write_text(PAGE)
        for number in range(20):
            (folder / "assets" / f"{folder.name}-{number}.js").write_text("start();")

    def swap() -> None:
        for _ in range(500):
            built.rename(tmp_path / "old")
            other.rename(built)
            (tmp_path / "old").rename(other)

    swapping = threading.Thread(target=swap)
    swapping.start()
    try:
        while swapping.is_alive():
            webapp_routes(built)
    finally:
        swapping.join()


async def test_without_a_build_the_page_says_how_to_get_one(tmp_path: Path) -> None:
    async with chat_of(tmp_path / "dist") as client:
        answer = await client.get("/")

    assert answer.status_code == 200
    assert "scripts/serve" in answer.text


async def test_the_service_has_the_web_chat_at_its_root() -> None:
    async with running_app() as client:
        answer = await client.get("/")

    assert answer.mimetype == "text/html"
