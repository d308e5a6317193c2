"""What every store promises about API keys."""

import asyncio
from dataclasses import replace

import pytest

from frontend_api.domain.errors import Conflict, NotFound
from frontend_api.domain.keys import ApiKey, KeyLimits, hash_of
from frontend_api.ports import Store
from tests.contract.stores import NOW, Opener


def a_key(key_id: str = "0123456789ab", **given: object) -> ApiKey:
    key = ApiKey(
        id=key_id,
        name="laptop",
        owner="alice",
        created_at=NOW,
        updated_at=NOW,
        secret_hash=hash_of("first"),
    )
    return replace(key, **given)  # type: ignore[arg-type]


async def test_a_key_comes_back_as_it_was_put_in(store: Store) -> None:
    plain = a_key()
    full = a_key(
        "ba9876543210",
        scopes=("admin", "metrics"),
        models=("demo", "$other.model"),
        limits=KeyLimits(requests_per_minute=3, tokens_per_day=2**40, priority_weight=2),
        expires_at=NOW + 0.5,
    ).rotated(hash_of("second"), NOW + 1, 60)

    await store.add_key(plain)
    await store.add_key(full)

    assert await store.key(plain.id) == plain
    assert await store.key(full.id) == full


@pytest.mark.parametrize("key_id", ["", "$ne", "0123456789aB", "0123456789ab\0"])
async def test_an_unknown_id_finds_nothing(store: Store, key_id: str) -> None:
    await store.add_key(a_key())

    assert await store.key(key_id) is None


async def test_an_id_is_taken_once(store: Store) -> None:
    await store.add_key(a_key())

    with pytest.raises(Conflict):
        await store.add_key(a_key(name="another"))

    assert await store.key("0123456789ab") == a_key()


async def test_a_change_takes_the_place_of_the_version_before(store: Store) -> None:
    await store.add_key(a_key())
    rotated = a_key().rotated(hash_of("second"), NOW + 1, 0)

    await store.save_key(rotated)

    assert await store.key("0123456789ab") == rotated


async def test_a_change_of_what_was_changed_meanwhile_is_refused(store: Store) -> None:
    await store.add_key(a_key())
    await store.save_key(a_key().revoked(NOW + 1))

    with pytest.raises(Conflict):
        await store.save_key(a_key().rotated(hash_of("second"), NOW + 2, 0))
    with pytest.raises(Conflict):
        await store.save_key(a_key("ba9876543210").revoked(NOW))

    assert await store.key("0123456789ab") == a_key().revoked(NOW + 1)
    assert await store.key("ba9876543210") is None


async def test_of_changes_at_once_one_is_made(opener: Opener) -> None:
    async with opener() as one, opener() as other:
        await one.add_key(a_key())
        changes = [
            store.save_key(a_key().rotated(hash_of(str(number)), NOW, 0))
            for number, store in enumerate([one, other] * 10)
        ]

        outcomes = await asyncio.gather(*changes, return_exceptions=True)

    assert outcomes.count(None) == 1
    assert all(isinstance(each, Conflict) for each in outcomes if each is not None)


async def test_a_change_is_seen_by_other_workers_at_once(opener: Opener) -> None:
    async with opener() as one, opener() as other:
        await one.add_key(a_key())
        await one.save_key(a_key().revoked(NOW))

        assert await other.key("0123456789ab") == a_key().revoked(NOW)


async def test_keys_are_listed_in_pages_the_oldest_first(store: Store) -> None:
    ids = ["000000000003", "000000000002", "000000000001", "000000000000"]
    # The last two are made in the same moment: their ids tell.
    for key_id, age in zip(ids, [3, 2, 1, 1], strict=True):
        await store.add_key(a_key(key_id, created_at=NOW - age))

    first = await store.keys(after=None, limit=3)
    second = await store.keys(after=first.keys[-1].id, limit=3)

    assert [key.id for key in first.keys] == [*ids[:2], ids[3]]
    assert first.has_more
    assert [key.id for key in second.keys] == [ids[2]]
    assert not second.has_more


async def test_a_page_after_an_unknown_key_is_not_found(store: Store) -> None:
    with pytest.raises(NotFound):
        await store.keys(after="000000000000", limit=3)
