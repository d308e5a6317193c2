"""What an address, or a key, may ask for at all; and whose address counts."""

import itertools
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import httpx
import pytest
from quart import Quart
from quart.testing.connections import WebsocketResponseError

from frontend_api.app import create_app
from frontend_api.domain.keys import new_id, new_secret, written
from frontend_api.web.addresses import client_address, networks
from frontend_api.web.edge_limits import BoundedStore
from tests.web.fakes import FakeGenerator, words
from tests.web.keyed import KEYS, bearer, with_keys
from tests.web.running import settings, wired

PROXIES = ["10.0.0.0/8", "::1"]


@asynccontextmanager
async def limited(
    per_minute: int, *, from_address: str = "192.0.2.1", **sections: Mapping[str, object]
) -> AsyncIterator[tuple[Quart, httpx.AsyncClient]]:
    """Run an application that lets an address ask so often; the client comes from that one."""
    limits = {"requests_per_minute_per_address": per_minute, **sections.pop("limits", {})}
    chosen = with_keys(limits=limits, **sections)
    app = create_app(wired(FakeGenerator(words("Hi")), chosen=chosen))
    transport = httpx.ASGITransport(cast(Any, app), client=(from_address, 1))
    async with (
        app.test_app(),
        httpx.AsyncClient(transport=transport, base_url="http://localhost") as client,
    ):
        yield app, client


async def statuses(client: httpx.AsyncClient, *paths: str, **given: Any) -> list[int]:
    return [(await client.get(path, **given)).status_code for path in paths]


async def test_an_address_that_asks_too_often_is_refused_as_json_with_one_retry_after() -> None:
    async with limited(2) as (_, client):
        allowed = await statuses(client, "/health", "/health")
        refused = await client.get("/health")

    assert allowed == [200, 200]
    assert refused.status_code == 429
    assert refused.json()["error"] == {
        "message": "Too many requests. Please try again in 30s.",
        "type": "rate_limit_error",
        "param": None,
        "code": "rate_limit_exceeded",
    }
    assert refused.headers.get_list("retry-after") == ["30"]


async def test_all_addresses_of_the_server_are_one_count_whatever_they_are_called() -> None:
    paths = ["/health", "/v1/models", "/HEALTH", "/health/", "//health", "/nowhere", "/docs"]
    async with limited(len(paths)) as (_, client):
        before = await statuses(client, *paths)
        after = await statuses(client, *paths)

    assert 429 not in before
    assert set(after) == {429}


async def test_sockets_count_as_well_and_are_refused_before_they_are_open() -> None:
    async with limited(1) as (app, _):
        refused = []
        for path in ("/v1/responses", "/chat/ws"):
            for _ in range(2):
                try:
                    async with app.test_client().websocket(path):
                        pass
                except WebsocketResponseError as error:
                    refused.append(error.response.status_code)

    assert refused == [429, 429, 429]


async def test_a_flood_of_made_up_keys_is_refused_before_the_database_is_asked() -> None:
    async with limited(3) as (_, client):
        answers = [
            (await client.get("/v1/models", headers=bearer(written(new_id(), new_secret()))))
            for _ in range(50)
        ]
        forged = await client.get("/v1/models", headers={"x-forwarded-for": "198.51.100.7"})

    assert [answer.status_code for answer in answers] == [401] * 3 + [429] * 47
    assert forged.status_code == 429


async def test_behind_a_trusted_proxy_each_client_has_a_count_of_its_own() -> None:
    security = {"trusted_proxies": PROXIES}
    async with limited(1, from_address="10.1.2.3", security=security) as (_, client):
        told = [
            await statuses(client, "/health", headers={"x-forwarded-for": name})
            for name in ("198.51.100.7", "198.51.100.8", "198.51.100.7", "6.6.6.6, 198.51.100.8")
        ]

    assert told == [[200], [200], [429], [429]]


async def test_a_key_is_counted_over_all_it_asks_for_from_wherever() -> None:
    async with limited(0, limits={"requests_per_minute_per_key": 2}) as (_, client):
        asked = ["/v1/models", "/v1/models/demo", "/v1/models"]
        one = await statuses(client, *asked, headers=bearer(KEYS["chat"]))
        other = await statuses(client, "/v1/models", headers=bearer(KEYS["all"]))
        nobody = await statuses(client, *["/health"] * 5)

    assert one == [200, 200, 429]
    assert other == [200]
    assert set(nobody) == {200}


async def test_the_original_services_metrics_count_what_limits_decide() -> None:
    async with limited(3) as (_, client):
        await statuses(client, *["/health"] * 2)
        page = (await client.get("/metrics", headers=bearer(KEYS["metrics"]))).text
        assert await statuses(client, "/health") == [429]

    assert "\nrate_limit_allowed_total 3.0\n" in page
    assert "\nrate_limit_blocked_total 0.0\n" in page


async def test_without_the_setting_nobody_is_counted() -> None:
    async with limited(0) as (_, client):
        assert set(await statuses(client, *["/health"] * 100)) == {200}


async def test_a_million_addresses_take_no_more_room_than_the_last_ones() -> None:
    store, now = BoundedStore(1000), datetime.now(UTC)
    for number in range(20_000):
        await store.set(str(number), now + timedelta(seconds=1))

    assert len(store) == 1000
    assert await store.get("19999", now) > now
    assert await store.get("1", now) == now


@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        ("192.0.2.1", [], "192.0.2.1"),
        ("192.0.2.1", ["198.51.100.7"], "192.0.2.1"),
        ("10.0.0.1", ["198.51.100.7"], "198.51.100.7"),
        ("10.0.0.1", ["6.6.6.6, 198.51.100.7"], "198.51.100.7"),
        ("10.0.0.1", ["6.6.6.6", "198.51.100.7 , 10.9.9.9"], "198.51.100.7"),
        ("10.0.0.1", ["10.0.0.9"], "10.0.0.9"),
        ("10.0.0.1", ["198.51.100.7, nonsense"], "10.0.0.1"),
        ("10.0.0.1", [""], "10.0.0.1"),
        ("::1", ["2001:db8::7"], "2001:db8::7"),
        ("fe80::1%eth0", ["2001:db8::7"], "fe80::1"),
        ("10.0.0.1", ["fe80::1%any text"], "fe80::1"),
        ("::ffff:10.0.0.1", ["198.51.100.7"], "198.51.100.7"),
        ("testclient", ["198.51.100.7"], "unknown"),
    ],
)
def test_only_trusted_proxies_tell_whose_address_it_is(
    peer: str, forwarded: list[str], address: str
) -> None:
    headers = [(b"x-forwarded-for", value.encode()) for value in forwarded]

    assert client_address({"client": (peer, 1), "headers": headers}, networks(PROXIES)) == address


async def test_all_of_one_ipv6_network_is_one_client() -> None:
    async with limited(1, security={"trusted_proxies": PROXIES}, from_address="::1") as (_, client):
        names = itertools.chain(["2001:db8::1", "2001:db8::2", "2001:db8:0:1::1"])
        told = [
            await statuses(client, "/health", headers={"x-forwarded-for": name}) for name in names
        ]

    assert told == [[200], [429], [200]]


def test_a_wrong_proxy_stops_the_start() -> None:
    with pytest.raises(Exception, match=r"security\.trusted_proxies"):
        settings(security={"trusted_proxies": ["10.0.0.1/8"]})
