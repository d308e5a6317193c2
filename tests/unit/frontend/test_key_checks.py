"""Checking keys: what is believed, how long, and how much of it is kept."""

import asyncio
from dataclasses import replace

import pytest

from frontend_api.domain.errors import StoreLost, WrongKey
from frontend_api.domain.keys import ApiKey, KeyPage, hash_of, new_id, new_secret, written
from frontend_api.service import key_checks
from frontend_api.service.key_checks import KeyChecks

NOW = 1_700_000_000.0
KEY_ID, SECRET = "0123456789ab", new_secret()
TEXT = written(KEY_ID, SECRET)
KEY = ApiKey(
    id=KEY_ID,
    name="laptop",
    owner="alice",
    created_at=NOW,
    updated_at=NOW,
    secret_hash=hash_of(SECRET),
)


class MemoryKeys:
    """Keeps keys in memory, counts its readings, and can be lost."""

    def __init__(self, *kept: ApiKey) -> None:
        self.kept = {key.id: key for key in kept}
        self.num_read = 0
        self.is_lost = False

    async def add_key(self, key: ApiKey) -> None:
        self.kept[key.id] = key

    async def save_key(self, key: ApiKey) -> None:
        self.kept[key.id] = key

    async def key(self, key_id: str) -> ApiKey | None:
        self.num_read += 1
        await asyncio.sleep(0)
        if self.is_lost:
            raise StoreLost("The database does not answer.")
        return self.kept.get(key_id)

    async def keys(self, *, after: str | None, limit: int) -> KeyPage:
        return KeyPage(list(self.kept.values()), has_more=False)


class Watch:
    """A clock that goes on when told to."""

    def __init__(self) -> None:
        self.passed_s = 0.0

    def now(self) -> float:
        return NOW + self.passed_s

    def monotonic(self) -> float:
        return self.passed_s


@pytest.fixture
def store() -> MemoryKeys:
    return MemoryKeys(KEY)


@pytest.fixture
def watch() -> Watch:
    return Watch()


@pytest.fixture
def checks(store: MemoryKeys, watch: Watch) -> KeyChecks:
    return KeyChecks(store, watch, ())


async def test_a_good_key_gives_its_record(checks: KeyChecks) -> None:
    assert await checks.admit(TEXT) == KEY


async def test_whatever_is_wrong_is_told_in_the_same_words(
    checks: KeyChecks, store: MemoryKeys
) -> None:
    wrong = written(KEY_ID, new_secret())
    unknown = written("ba9876543210", SECRET)
    told = []
    for presented in (wrong, unknown, wrong[:-2]):
        with pytest.raises(WrongKey) as refused:
            await checks.admit(presented)
        told.append(refused.value.message.replace("ba9876543210", KEY_ID))
    for kept in (KEY.revoked(NOW), replace(KEY, expires_at=NOW)):
        store.kept[KEY_ID] = kept
        checks.forget(KEY_ID)
        with pytest.raises(WrongKey) as refused:
            await checks.admit(TEXT)
        told.append(refused.value.message)

    assert set(told) == {"Incorrect API key provided: ck_0123456789ab_***."}


async def test_a_change_is_heeded_within_five_seconds(
    checks: KeyChecks, store: MemoryKeys, watch: Watch
) -> None:
    await checks.admit(TEXT)
    store.kept[KEY_ID] = KEY.revoked(NOW)
    watch.passed_s = 5

    with pytest.raises(WrongKey):
        await checks.admit(TEXT)


async def test_a_key_that_was_made_after_it_was_asked_for_is_heeded_too(watch: Watch) -> None:
    store = MemoryKeys()
    checks = KeyChecks(store, watch, ())
    with pytest.raises(WrongKey):
        await checks.admit(TEXT)
    store.kept[KEY_ID] = KEY
    watch.passed_s = 5

    assert await checks.admit(TEXT) == KEY


async def test_the_new_secret_of_a_rotated_key_is_good_in_every_worker_at_once(
    checks: KeyChecks, store: MemoryKeys, watch: Watch
) -> None:
    await checks.admit(TEXT)
    new = new_secret()
    store.kept[KEY_ID] = KEY.rotated(hash_of(new), NOW, 60)
    watch.passed_s = 0.001

    assert await checks.admit(written(KEY_ID, new)) == store.kept[KEY_ID]
    assert await checks.admit(TEXT) == store.kept[KEY_ID]


async def test_wrong_secrets_at_once_read_the_record_once(
    checks: KeyChecks, store: MemoryKeys, watch: Watch
) -> None:
    await checks.admit(TEXT)
    watch.passed_s = 1

    wrong = [checks.admit(written(KEY_ID, new_secret())) for _ in range(100)]
    told = await asyncio.gather(*wrong, return_exceptions=True)

    assert all(isinstance(each, WrongKey) for each in told)
    assert store.num_read == 2


async def test_requests_at_once_read_the_record_once(checks: KeyChecks, store: MemoryKeys) -> None:
    await asyncio.gather(*(checks.admit(TEXT) for _ in range(100)))

    assert store.num_read == 1


async def test_an_expiry_needs_no_reading(
    checks: KeyChecks, store: MemoryKeys, watch: Watch
) -> None:
    store.kept[KEY_ID] = replace(KEY, expires_at=NOW + 1)
    await checks.admit(TEXT)
    watch.passed_s = 1

    with pytest.raises(WrongKey):
        await checks.admit(TEXT)

    assert store.num_read == 1


async def test_made_up_keys_fill_no_memory_and_push_out_nobody(
    checks: KeyChecks, store: MemoryKeys
) -> None:
    await checks.admit(TEXT)
    for _ in range(key_checks.MAX_UNKNOWN + 100):
        with pytest.raises(WrongKey):
            await checks.admit(written(new_id(), SECRET))
    for number in range(1000):
        with pytest.raises(WrongKey):
            await checks.admit(f"made-up-{number}")
    num_read = store.num_read

    assert checks.num_kept == key_checks.MAX_UNKNOWN + 1
    assert await checks.admit(TEXT) == KEY
    assert store.num_read == num_read


async def test_a_lost_database_shuts_nobody_out_who_was_in_until_a_minute_has_passed(
    checks: KeyChecks, store: MemoryKeys, watch: Watch
) -> None:
    await checks.admit(TEXT)
    store.is_lost = True
    watch.passed_s = 59

    assert await checks.admit(TEXT) == KEY
    with pytest.raises(WrongKey):
        await checks.admit(written(KEY_ID, new_secret()))
    with pytest.raises(StoreLost):
        await checks.admit(written(new_id(), SECRET))

    watch.passed_s = 65
    with pytest.raises(StoreLost):
        await checks.admit(TEXT)


async def test_a_key_of_the_settings_needs_no_database(watch: Watch) -> None:
    store = MemoryKeys()
    static = replace(KEY, id="config:ops", secret_hash=hash_of("as-in-the-file"))
    off = replace(static, id="config:off", secret_hash=hash_of("switched-off"), is_enabled=False)
    checks = KeyChecks(store, watch, [static, off])

    assert await checks.admit("as-in-the-file") == static
    for wrong in ("switched-off", "as-in-the-fil", ""):
        with pytest.raises(WrongKey):
            await checks.admit(wrong)
    assert store.num_read == 0
