"""Idempotency keys in every store."""

import asyncio
from dataclasses import replace

from frontend_api.domain.stored import IdempotencyClaim, IdempotencyRecord, KeptAnswer
from frontend_api.ports import Store
from tests.contract.stores import ALICE, NOW, Opener

CLAIM = IdempotencyClaim(
    owner=ALICE, key="key-1", fingerprint="f1", claimed_at=NOW, expires_at=NOW + 100
)
ANSWER = KeptAnswer(200, "application/json", b'{"\x00\xff": 1}')


async def test_new_key_is_taken(store: Store) -> None:
    assert await store.claim(CLAIM) is None


async def test_taken_key_tells_who_took_it_and_when(store: Store) -> None:
    await store.claim(CLAIM)

    known = await store.claim(replace(CLAIM, fingerprint="f2", claimed_at=NOW + 1))

    assert known == IdempotencyRecord("f1", NOW, None)


async def test_kept_answer_comes_back_byte_for_byte(store: Store) -> None:
    await store.claim(CLAIM)

    await store.keep(ALICE, "key-1", NOW, ANSWER)

    assert await store.claim(CLAIM) == IdempotencyRecord("f1", NOW, ANSWER)


async def test_released_key_is_new(store: Store) -> None:
    await store.claim(CLAIM)

    await store.release(ALICE, "key-1", NOW)

    assert await store.claim(CLAIM) is None


async def test_key_with_an_answer_is_not_released(store: Store) -> None:
    await store.claim(CLAIM)
    await store.keep(ALICE, "key-1", NOW, ANSWER)

    await store.release(ALICE, "key-1", NOW)

    assert await store.claim(CLAIM) == IdempotencyRecord("f1", NOW, ANSWER)


async def test_who_held_a_key_before_neither_releases_nor_answers_it(store: Store) -> None:
    await store.claim(CLAIM)
    await store.release(ALICE, "key-1", NOW)
    await store.claim(replace(CLAIM, claimed_at=NOW + 1))

    await store.release(ALICE, "key-1", NOW)
    await store.keep(ALICE, "key-1", NOW, ANSWER)

    assert await store.claim(CLAIM) == IdempotencyRecord("f1", NOW + 1, None)


async def test_key_is_new_again_when_it_has_expired(store: Store) -> None:
    await store.claim(CLAIM)
    await store.keep(ALICE, "key-1", NOW, ANSWER)
    later = replace(CLAIM, fingerprint="f2", claimed_at=NOW + 100, expires_at=NOW + 200)

    assert await store.claim(later) is None
    assert await store.claim(later) == IdempotencyRecord("f2", NOW + 100, None)


async def test_answer_to_an_unknown_key_is_not_kept(store: Store) -> None:
    await store.keep(ALICE, "key-1", NOW, ANSWER)

    assert await store.claim(CLAIM) is None


async def test_expired_keys_are_removed_and_counted(store: Store) -> None:
    await store.claim(CLAIM)
    await store.claim(replace(CLAIM, key="key-2", expires_at=NOW + 200))

    assert await store.delete_expired(NOW + 100) == 1
    assert await store.delete_expired(NOW + 100) == 0


async def test_of_50_claims_at_once_one_is_the_first(opener: Opener) -> None:
    async with opener() as one, opener() as other:
        results = await asyncio.gather(*((one, other)[n % 2].claim(CLAIM) for n in range(50)))

    assert results.count(None) == 1
