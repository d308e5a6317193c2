"""The limits of keys over HTTP: what is let in, what is charged, and what is told of it."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import httpx
import pytest

from frontend_api.domain.errors import EngineFailed
from frontend_api.domain.generation import Accepted, Delta
from tests.web.fakes import FakeGenerator, Step, words
from tests.web.keyed import bearer, keyed_app, with_keys
from tests.web.running import Json, ask, events

ADMIN = "static-key-of-admin-of-limits"
LIMITED = "static-key-that-has-limits"
# The second of tests.web.fakes.FixedClock, when all of it is back in 60.5 s.
RESET_AT = "1700000061"
Url = tuple[str, Json]
CHAT: Url = ("/v1/chat/completions", ask(max_tokens=10))
GENERATIONS: tuple[Url, ...] = (
    CHAT,
    ("/v1/chat/completions", ask(max_tokens=10, stream=True)),
    ("/v1/completions", {"model": "demo", "prompt": "x", "max_tokens": 10}),
    ("/v1/responses", {"model": "demo", "input": "x", "max_output_tokens": 16}),
    ("/chat/completions", {"model-name": "demo", "prompt": "x", "max-token": 10}),
    ("/completions", {"model": "demo", "prompt": "x", "max_tokens": 10}),
)


def answering(*, prompt: int = 5, tokens: int = 2) -> FakeGenerator:
    """Return a model that accepts a prompt of so many tokens and answers with so many."""
    return FakeGenerator([Accepted(prompt), *words(*["x"] * tokens)])


@asynccontextmanager
async def limited(
    generator: FakeGenerator | None = None,
    defaults: Mapping[str, object] | None = None,
    **limits: object,
) -> AsyncIterator[httpx.AsyncClient]:
    """Run the application with one key that has these limits; its client uses it."""
    api_keys = [
        {"key": ADMIN, "name": "admin", "scopes": ["chat", "admin"]},
        {"key": LIMITED, "name": "limited", "scopes": ["chat", "sessions"], **limits},
    ]
    chosen = with_keys(security={"api_keys": api_keys}, limits=defaults or {})
    async with keyed_app(chosen, generator or answering()) as (_, client):
        client.headers.update(bearer(LIMITED))
        yield client


async def test_a_key_over_its_limit_is_refused_with_the_headers_of_both_dialects() -> None:
    async with limited(rate_limit_per_minute=1, tokens_per_minute=100) as client:
        url, body = CHAT
        answered = await client.post(url, json=body)
        refused = await client.post(url, json=body)

    assert answered.status_code == 200
    told = {name: value for name, value in answered.headers.items() if "ratelimit" in name}
    assert told == {
        "x-ratelimit-limit-requests": "1",
        "x-ratelimit-remaining-requests": "0",
        "x-ratelimit-reset-requests": "1m1s",
        "x-ratelimit-limit-tokens": "100",
        "x-ratelimit-remaining-tokens": "93",
        "x-ratelimit-reset-tokens": "1m1s",
        "x-ratelimit-limit": "1",
        "x-ratelimit-remaining": "0",
        "x-ratelimit-reset": RESET_AT,
    }
    assert refused.status_code == 429
    assert refused.headers.get_list("retry-after") == ["61"]
    assert {name: refused.headers[name] for name in told} == told
    error = refused.json()["error"]
    assert (error["type"], error["code"]) == ("rate_limit_error", "rate_limit_exceeded")
    assert error["message"].startswith("Rate limit reached for this API key on requests per minute")


@pytest.mark.parametrize("first", GENERATIONS)
async def test_every_dialect_spends_of_one_budget(first: Url) -> None:
    async with limited(rate_limit_per_minute=1) as client:
        answered = await client.post(first[0], json=first[1])
        refused = [await client.post(url, json=body) for url, body in GENERATIONS]

    assert answered.status_code == 200
    assert {answer.status_code for answer in refused} == {429}
    assert {answer.headers["x-ratelimit-remaining-requests"] for answer in refused} == {"0"}


async def test_what_was_set_aside_comes_back_but_for_what_was_used() -> None:
    async with limited(answering(prompt=5, tokens=3), tokens_per_minute=100) as client:
        url, _ = CHAT
        answers = [await client.post(url, json=ask(max_tokens=80)) for _ in range(3)]

    remaining = [answer.headers["x-ratelimit-remaining-tokens"] for answer in answers]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    # The model has read the third prompt.
    assert remaining == ["92", "84", "79"]


async def test_a_prompt_that_does_not_fit_is_refused_before_any_text_also_of_a_stream() -> None:
    async with limited(answering(prompt=91), tokens_per_minute=100) as client:
        refused = await client.post(CHAT[0], json=ask(max_tokens=10, stream=True))

    assert refused.status_code == 429
    assert "retry-after" not in refused.headers
    assert "Limit 100, Used 10, Requested 101" in refused.json()["error"]["message"]
    # The model has read the prompt: as much of it counts as was set aside.
    assert refused.headers["x-ratelimit-remaining-tokens"] == "90"


async def test_an_answer_without_a_limit_is_capped_at_a_part_of_what_the_budget_leaves() -> None:
    generator = answering(prompt=5, tokens=2)
    async with limited(generator, tokens_per_minute=4000) as client:
        answers = [await client.post(CHAT[0], json=ask()) for _ in range(3)]

    assert [request.max_tokens for request in generator.requests] == [1000, 998, 996]
    assert [answer.status_code for answer in answers] == [200, 200, 200]


async def test_with_too_little_left_no_answer_without_a_limit_is_begun() -> None:
    generator = answering(prompt=5, tokens=2)
    async with limited(generator, tokens_per_minute=262) as client:
        answers = [await client.post(CHAT[0], json=ask()) for _ in range(2)]

    assert [request.max_tokens for request in generator.requests] == [256]
    assert [answer.status_code for answer in answers] == [200, 429]


async def test_an_answer_without_a_limit_is_not_capped_where_the_budget_holds_the_context() -> None:
    generator = answering()
    async with limited(generator, tokens_per_minute=4 * 4096) as client:
        assert (await client.post(CHAT[0], json=ask())).status_code == 200

    assert [request.max_tokens for request in generator.requests] == [None]


async def test_only_so_many_requests_of_a_key_run_at_a_time() -> None:
    gate = asyncio.Event()
    steps: list[Step] = [Accepted(5), gate, *words("x")]
    generator = FakeGenerator(steps)
    async with limited(generator, parallel_requests=1) as client:
        running = asyncio.create_task(client.post(CHAT[0], json=CHAT[1]))
        await generator.opened.wait()
        refused = await client.post(CHAT[0], json=CHAT[1])
        gate.set()
        answered = await running
        again = await client.post(CHAT[0], json=CHAT[1])

    assert [answer.status_code for answer in (refused, answered, again)] == [429, 200, 200]
    assert refused.headers["retry-after"] == "1"


async def test_a_key_without_limits_has_the_defaults_and_no_headers_where_there_are_none() -> None:
    async with limited(defaults={"default_rate_limit_per_minute": 1}) as client:
        statuses = [(await client.post(CHAT[0], json=CHAT[1])).status_code for _ in range(2)]
    async with limited() as client:
        free = await client.post(CHAT[0], json=CHAT[1])

    assert statuses == [200, 429]
    assert not [name for name in free.headers if "ratelimit" in name]


async def test_who_is_refused_for_another_reason_is_told_what_is_left() -> None:
    async with limited(rate_limit_per_minute=3) as client:
        models = await client.get("/v1/models")
        unknown = await client.post(CHAT[0], json={**CHAT[1], "model": "none"})

    assert [answer.status_code for answer in (models, unknown)] == [200, 404]
    for answer in (models, unknown):
        assert answer.headers["x-ratelimit-remaining-requests"] == "3"
        assert answer.headers["x-ratelimit-reset-requests"] == "0ms"


async def test_a_failing_model_is_charged_for_what_it_has_said() -> None:
    steps: list[Step] = [Accepted(5), Delta(0, "x", 4), EngineFailed("It broke.")]
    async with limited(FakeGenerator(steps), tokens_per_minute=100) as client:
        failed = await client.post(CHAT[0], json=ask(max_tokens=50))

    assert failed.status_code == 500
    assert failed.headers["x-ratelimit-remaining-tokens"] == "91"


async def test_usage_shows_the_callers_own_and_what_is_left() -> None:
    async with limited(tokens_per_day=1000, parallel_requests=2) as client:
        await client.post(CHAT[0], json=CHAT[1])
        await client.post(CHAT[0], json=CHAT[1], headers=bearer(ADMIN))
        own = (await client.get("/v1/usage")).json()
        every = (await client.get("/admin/usage", headers=bearer(ADMIN))).json()
        of_other = await client.get(
            "/admin/usage?key_id=config:admin&first_day=2023-11-01", headers=bearer(ADMIN)
        )
        refused = await client.get("/admin/usage")

    used = {"num_requests": 1, "prompt_tokens": 5, "cached_tokens": 0, "completion_tokens": 2}
    row = {"day": "2023-11-14", "key_id": "config:limited", "model": "demo", **used}
    assert own["data"] == [row]
    assert own["left"] == {
        "requests_per_minute": None,
        "tokens_per_minute": None,
        "tokens_per_day": {"limit": 1000, "remaining": 993, "reset_s": 6399.5},
        "parallel_requests": {"limit": 2, "remaining": 2, "reset_s": 0},
    }
    assert every["data"] == [{**row, "key_id": "config:admin"}, row]
    assert every["totals"] == {name: 2 * number for name, number in used.items()}
    assert [each["key_id"] for each in of_other.json()["data"]] == ["config:admin"]
    assert refused.status_code == 403


@pytest.mark.parametrize(
    "query",
    ["first_day=yesterday", "first_day=2020-01-01", "last_day=2023-01-01&first_day=2023-01-02"],
)
async def test_wrong_days_of_usage_are_refused_by_name(query: str) -> None:
    async with limited() as client:
        refused = await client.get(f"/v1/usage?{query}")

    assert refused.status_code == 400
    assert refused.json()["error"]["param"] == "first_day"


async def test_the_first_days_of_all_have_no_thirty_days_before_them() -> None:
    async with limited() as client:
        shown = await client.get("/v1/usage?last_day=0001-01-05")

    assert (shown.status_code, shown.json()["first_day"]) == (200, "0001-01-01")


async def test_a_stream_that_is_refused_has_no_events() -> None:
    async with limited(rate_limit_per_minute=1) as client:
        url, body = GENERATIONS[1]
        first, second = [await client.post(url, json=body) for _ in range(2)]

    assert events(first.content)[-1] == "[DONE]"
    assert second.headers["content-type"] == "application/json"
