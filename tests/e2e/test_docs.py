"""docs/api.md: every example does what the page says, and nothing is left out."""

import json
import re

import httpx
import pytest

from frontend_api.domain.errors import ServiceError
from scripts.launcher.bootstrap import ROOT
from tests.e2e.conch_process import Conch
from tests.e2e.examples import Example, examples, num_runnable

PAGE = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
EXAMPLES = examples(PAGE)


def kinds(of: type[ServiceError]) -> list[type[ServiceError]]:
    return [of, *(each for kind in of.__subclasses__() for each in kinds(kind))]


def test_every_block_that_can_be_run_says_what_comes_back() -> None:
    assert len(EXAMPLES) == num_runnable(PAGE)
    assert {each.language for each in EXAMPLES} == {"bash", "python"}


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda each: f"line {each.line}")
def test_an_example_answers_as_the_page_says(conch: Conch, example: Example) -> None:
    printed = example.run(conch.url.removeprefix("http://"))

    assert example.differences(printed) == []


def test_every_code_of_an_error_is_told() -> None:
    codes = {kind.default_code for kind in kinds(ServiceError)} - {None, "service_unavailable"}

    assert [code for code in sorted(map(str, codes)) if f"`{code}`" not in PAGE] == []


async def test_every_address_is_told(http: httpx.AsyncClient) -> None:
    document = (await http.get("/openapi.json")).json()

    told = [re.sub(r"{\w+_id}", "{id}", path) for path in document["paths"]]
    assert [path for path in told if path.replace("/{name}", "") not in PAGE] == []


async def test_every_parameter_is_told(http: httpx.AsyncClient) -> None:
    document = (await http.get("/openapi.json")).json()

    bodies = re.findall(r'"#/components/schemas/(\w+In)"', json.dumps(document["paths"]))
    fields = {
        name for body in bodies for name in document["components"]["schemas"][body]["properties"]
    }
    assert [name for name in sorted(fields) if f"`{name}`" not in PAGE] == []
