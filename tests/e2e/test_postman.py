"""docs/postman_collection.json: every endpoint, run by Postman's own newman.

newman is installed once, from the lock file beside this test, into .run/newman.
"""

import hashlib
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from scripts.launcher.bootstrap import ROOT
from tests.e2e.conch_process import Conch

COLLECTION = ROOT / "docs" / "postman_collection.json"
MANIFESTS = [
    Path(__file__).parent / "newman" / name for name in ("package.json", "package-lock.json")
]
# An installation takes half a minute, or some minutes on a slow line.
INSTALL_LIMIT_S = 300
RUN_LIMIT_S = 120

Json = dict[str, Any]


@pytest.fixture(scope="module")
def newman() -> Path:
    """The program, installed unless it is there in this version."""
    folder = ROOT / ".run" / "newman"
    stamp = folder / "installed"
    wanted = hashlib.sha256(b"".join(path.read_bytes() for path in MANIFESTS)).hexdigest()
    if not stamp.exists() or stamp.read_text() != wanted:
        folder.mkdir(parents=True, exist_ok=True)
        for path in MANIFESTS:
            shutil.copy(path, folder)
        install = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        subprocess.run(install, cwd=folder, timeout=INSTALL_LIMIT_S, check=True)
        stamp.write_text(wanted)
    return folder / "node_modules" / ".bin" / "newman"


def requests(item: Json) -> Iterator[Json]:
    """Yield every request below an item of the collection."""
    if "request" in item:
        yield item["request"]
    for each in item.get("item", ()):
        yield from requests(each)


@pytest.mark.timeout(INSTALL_LIMIT_S + RUN_LIMIT_S)
def test_every_request_of_the_collection_succeeds(conch: Conch, newman: Path) -> None:
    command = [
        str(newman),
        "run",
        str(COLLECTION),
        "--env-var",
        f"base_url={conch.url}",
        "--color",
        "off",
    ]

    ended = subprocess.run(
        command, capture_output=True, text=True, timeout=RUN_LIMIT_S, check=False
    )

    assert ended.returncode == 0, ended.stdout


async def test_the_collection_has_every_endpoint(http: httpx.AsyncClient) -> None:
    collection = json.loads(COLLECTION.read_text(encoding="utf-8"))
    sent = {(each["method"], each["url"]["raw"].partition("?")[0]) for each in requests(collection)}
    paths: Json = (await http.get("/openapi.json")).json()["paths"]

    wanted = [
        (method.upper(), re.compile(re.escape("{{base_url}}") + re.sub(r"{\w+}", "[^/]+", path)))
        for path, methods in paths.items()
        for method, says in methods.items()
        if "101" not in says["responses"]
    ]

    assert [
        (method, address.pattern)
        for method, address in wanted
        if not any(method == other and address.fullmatch(raw) for other, raw in sent)
    ] == []
