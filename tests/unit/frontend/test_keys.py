"""API keys: how they look, and whom they let in."""

from dataclasses import replace

import pytest

from frontend_api.domain import keys
from frontend_api.domain.keys import ApiKey, hash_of, masked, new_id, new_secret, parsed, written
from frontend_api.settings import ApiKeySettings

NOW = 1_700_000_000.0
SECRET = "5e" * 32
KEY = ApiKey(
    id="0123456789ab",
    name="laptop",
    owner="alice",
    created_at=NOW,
    updated_at=NOW,
    secret_hash=hash_of(SECRET),
)


def test_a_new_key_is_256_random_bits_under_an_id() -> None:
    key_id, secret = new_id(), new_secret()

    found = parsed(written(key_id, secret))

    assert found == keys.PresentedKey(key_id, secret)
    assert len(bytes.fromhex(secret)) * 8 == 256
    assert len({new_secret() for _ in range(100)}) == 100


@pytest.mark.parametrize(
    "text",
    ["", "sk-abc", "ck_", f"ck_0123456789ab_{SECRET} ", f"CK_0123456789ab_{SECRET}", "ck_0_\ud800"],
)
def test_what_is_no_key_of_ours_has_no_parts(text: str) -> None:
    assert parsed(text) is None


def test_a_key_opens_with_its_secret_only() -> None:
    assert KEY.is_opened_by(hash_of(SECRET), NOW)
    assert not KEY.is_opened_by(hash_of(new_secret()), NOW)
    assert not KEY.is_opened_by(hash_of(""), NOW)
    assert not KEY.is_opened_by("", NOW)


def test_an_expired_key_opens_nothing() -> None:
    key = replace(KEY, expires_at=NOW + 1)

    assert key.is_opened_by(hash_of(SECRET), NOW + 0.9)
    assert not key.is_opened_by(hash_of(SECRET), NOW + 1)
    assert key.state(NOW + 1) == "expired"


def test_a_revoked_key_opens_nothing_not_even_with_an_old_secret() -> None:
    key = KEY.rotated(hash_of("new"), NOW, 100).revoked(NOW)

    assert key.state(NOW) == "revoked"
    assert not key.is_opened_by(hash_of("new"), NOW)
    assert not key.is_opened_by(hash_of(SECRET), NOW)


def test_both_secrets_of_a_rotated_key_open_until_the_overlap_is_over() -> None:
    key = KEY.rotated(hash_of("new"), NOW, 100)

    assert key.is_opened_by(hash_of(SECRET), NOW + 99.9)
    assert not key.is_opened_by(hash_of(SECRET), NOW + 100)
    assert key.is_opened_by(hash_of("new"), NOW + 100)


def test_without_an_overlap_the_old_secret_ends_at_once() -> None:
    key = KEY.rotated(hash_of("new"), NOW, 0)

    assert key.old_secret is None
    assert not key.is_opened_by(hash_of(SECRET), NOW)


def test_what_is_told_of_a_key_holds_no_secret() -> None:
    full = written(KEY.id, SECRET)

    assert masked(full) == "ck_0123456789ab_***"
    assert masked(full[:-1]) == "ck_0123456789ab_***"
    assert masked("sk-canary-secret-of-some-length") == "sk-***"
    assert masked("hunter2") == "***"
    assert keys.without_keys(f"a {full}, b") == "a ck_0123456789ab_***, b"
    rotated = KEY.rotated(hash_of("new"), NOW, 9)
    assert hash_of("new") not in repr(rotated)
    assert KEY.secret_hash not in repr(rotated)


def test_the_settings_know_the_same_scopes() -> None:
    allowed = ApiKeySettings.model_json_schema()["properties"]["scopes"]["items"]["enum"]

    assert tuple(allowed) == keys.SCOPES
