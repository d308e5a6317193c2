"""Settings: file, environment, command line; bad ones stop the start with one sentence."""

import tomllib
from pathlib import Path

import pytest

from frontend_api.settings import Settings, SettingsError, load_settings, require_guard

EXAMPLE = Path(__file__).parents[3] / "config.example.toml"


def written(folder: Path, text: str) -> Path:
    path = folder / "config.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_defaults_need_no_file() -> None:
    assert load_settings(None, {}) == Settings()


def test_environment_wins_over_file_and_arguments_over_both(tmp_path: Path) -> None:
    path = written(tmp_path, '[server]\nhost = "127.0.0.2"\nport = 1000\nworkers = 3\n')

    settings = load_settings(
        path,
        {"CONCH_SERVER__PORT": "2000", "CONCH_SERVER__WORKERS": "4"},
        {"server": {"workers": 5}},
    )

    assert settings.server.host == "127.0.0.2"
    assert settings.server.port == 2000
    assert settings.server.workers == 5


def test_a_list_in_the_environment_is_parted_by_commas() -> None:
    settings = load_settings(None, {"CONCH_MODELS__SERVED": "demo, other"})

    assert settings.models.served == ("demo", "other")


@pytest.mark.parametrize(
    ("environ", "sentence"),
    [
        (
            {"CONCH_SERVER__PORT": "lots"},
            "The setting server.port cannot be 'lots': "
            "Input should be a valid integer, unable to parse string as an integer.",
        ),
        ({"CONCH_SERVER__PRT": "1"}, "The setting server.prt is not known (its value is '1')."),
        (
            {"CONCH_SERVER__API_KEY": "canary-of-some-length"},
            "The setting server.api_key is not known (its value is '***').",
        ),
        (
            {"CONCH_SERVR__PORT": "1"},
            "The environment variable CONCH_SERVR__PORT is not a setting: "
            "settings are named CONCH_<SECTION>__<KEY>.",
        ),
        (
            {"CONCH_SERVER_PORT": "1"},
            "The environment variable CONCH_SERVER_PORT is not a setting: "
            "settings are named CONCH_<SECTION>__<KEY>.",
        ),
        (
            {"CONCH_STORE__LEASE_S": "2"},
            "The setting store.lease_s cannot be '2': "
            "Value error, It must be at least 3 times checkpoint_interval_s.",
        ),
        (
            {"CONCH_STORE__MONGODB_URI": "http://user:secret@db"},
            "The setting store.mongodb_uri cannot be '***': "
            "Value error, It begins with mongodb:// or mongodb+srv://.",
        ),
        (
            {"CONCH_STORE__MONGODB_URI": "user:secret@db:27017"},
            "The setting store.mongodb_uri cannot be '***': "
            "Value error, It begins with mongodb:// or mongodb+srv://.",
        ),
        (
            {"CONCH_STORE__MONGODB_URL": "mongodb://user:secret@db"},
            "The setting store.mongodb_url is not known (its value is '***').",
        ),
        (
            {"CONCH_SECURITY__API_KEYS": '[{"key": "canary", "name": "x"}]'},
            "The setting security.api_keys.0.key cannot be '***': "
            "Value error, It must be 8 to 200 letters, digits or any of . _ ~ + / : @ -.",
        ),
        (
            {"CONCH_SECURITY__API_KEYS": '[{"kee": "canary-of-some-length", "name": "x"}]'},
            "The setting security.api_keys.0.key cannot be '***': Field required.",
        ),
        (
            {"CONCH_SECURITY__API_KEYS": "canary-of-some-length"},
            "CONCH_SECURITY__API_KEYS is not valid JSON.",
        ),
        (
            {"CONCH_SECURITY__API_KEY": "canary-of-some-length"},
            "The setting security.api_key is not known (its value is '***').",
        ),
        (
            {"CONCH_SECURITY__ALLOWED_ORIGINS": "https://chat.example.com/"},
            "The setting security.allowed_origins cannot be 'https://chat.example.com/': "
            "Value error, An origin looks like https://chat.example.com, with its port if any.",
        ),
    ],
)
def test_a_bad_variable_is_told_in_one_sentence(environ: dict[str, str], sentence: str) -> None:
    with pytest.raises(SettingsError) as refused:
        load_settings(None, environ)

    assert str(refused.value) == sentence


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("[server]\nprot = 1\n", "The setting server.prot is not known"),
        ("[sever]\nport = 1\n", "The setting sever is not known"),
        ("[server]\nport = 0\n", "The setting server.port cannot be 0"),
        ("[server\n", "is not valid TOML"),
    ],
)
def test_a_bad_file_is_told_in_one_sentence(tmp_path: Path, text: str, part: str) -> None:
    with pytest.raises(SettingsError, match=part.replace(".", r"\.")):
        load_settings(written(tmp_path, text), {})


def test_a_missing_file_is_told_in_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"cannot be read: No such file or directory\."):
        load_settings(tmp_path / "none.toml", {})


def test_the_example_file_holds_every_setting_with_its_default() -> None:
    example = tomllib.loads(EXAMPLE.read_text(encoding="utf-8"))

    defaults = Settings().model_dump(mode="json")
    # Who takes the file is about to serve others; a first user is not limited.
    limited = {"requests_per_minute_per_address": 600}

    assert example == {**defaults, "limits": {**defaults["limits"], **limited}}
    assert load_settings(EXAMPLE, {}).limits.requests_per_minute_per_address == 600


def test_every_setting_of_the_example_file_is_explained() -> None:
    lines = EXAMPLE.read_text(encoding="utf-8").splitlines()

    unexplained = [
        line
        for line, before in zip(lines[1:], lines, strict=False)
        if " = " in line and not line.startswith("#") and not before.startswith("#")
    ]

    # The second and third of a group share the comment above its first.
    assert len(unexplained) <= 6


def test_keys_of_the_file_have_names_of_their_own(tmp_path: Path) -> None:
    one = '[[security.api_keys]]\nkey = "{}-of-some-length"\nname = "ops"\nscopes = ["chat"]\n'

    (key,) = load_settings(written(tmp_path, one.format("a")), {}).security.api_keys
    with pytest.raises(SettingsError, match="a name and a key of its own"):
        load_settings(written(tmp_path, one.format("a") + one.format("b")), {})

    assert (key.name, key.scopes, key.enabled) == ("ops", ("chat",), True)
    assert key.key.get_secret_value() == "a-of-some-length"


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "localhost"])
def test_without_keys_it_may_listen_on_this_machine(host: str) -> None:
    require_guard(load_settings(None, {}, {"server": {"host": host}}))


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "", "192.168.1.2", "conch", "localhost.evil"])
def test_others_are_let_in_without_keys_only_when_that_is_asked_for(host: str) -> None:
    server = {"host": host}

    with pytest.raises(SettingsError, match=r"enable_auth = true, or security"):
        require_guard(load_settings(None, {}, {"server": server}))

    for security in ({"enable_auth": True}, {"allow_unauthenticated": True}):
        require_guard(load_settings(None, {}, {"server": server, "security": security}))
