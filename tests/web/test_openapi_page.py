"""/docs: a page that works offline and under a strict content policy."""

import re

import pytest

from tests.web.running import running_app

ASSET = re.compile(r'(?:src|href)="([^"]+)"')


async def test_the_page_and_all_it_loads_come_from_here() -> None:
    async with running_app() as client:
        page = await (await client.get("/docs")).get_data(as_text=True)
        loaded = {path: await client.get(f"/{path}") for path in ASSET.findall(page)}

    assert {path: answer.status_code for path, answer in loaded.items()} == dict.fromkeys(
        ["openapi.json", *(f"docs/{name}" for name in sorted(FILES))], 200
    )
    assert all(
        answer.headers["content-type"].startswith(FILES[path.partition("/")[2]])
        for path, answer in loaded.items()
        if path.startswith("docs/")
    )


FILES = {
    "docs.js": "text/javascript",
    "favicon-32x32.png": "image/png",
    "swagger-ui-bundle.js": "text/javascript",
    "swagger-ui.css": "text/css",
}


async def test_the_page_has_no_inline_script_or_style() -> None:
    async with running_app() as client:
        page = await (await client.get("/docs")).get_data(as_text=True)

    assert re.findall(r"<script[^>]*>\s*[^<\s]|<style|\son\w+=|style=", page) == []


async def test_the_page_forbids_everything_from_elsewhere() -> None:
    async with running_app() as client:
        response = await client.get("/docs")

    policy = response.headers["content-security-policy"]
    assert policy.startswith("default-src 'self';")
    assert "unsafe" not in policy
    assert "http" not in policy


@pytest.mark.parametrize("name", ["index.html", "..%2fdocs.py", "%2e%2e/app.py", "swagger-ui.js"])
async def test_no_other_file_is_handed_out(name: str) -> None:
    async with running_app() as client:
        response = await client.get(f"/docs/{name}")

    assert response.status_code == 404
    assert (await response.get_json())["error"]["message"]


async def test_a_file_that_the_browser_has_is_not_sent_again() -> None:
    async with running_app() as client:
        first = await client.get("/docs/docs.js")
        again = await client.get("/docs/docs.js", headers={"if-none-match": first.headers["etag"]})

    assert (again.status_code, await again.get_data()) == (304, b"")
