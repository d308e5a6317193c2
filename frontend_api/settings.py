"""Every setting of the service, read once: defaults, then the TOML file, then `CONCH_…`.

A section is a table of the file, a key is also `CONCH_<SECTION>__<KEY>`. Unknown
keys and bad values stop the start with one sentence. Only place that reads the environment.
"""

from __future__ import annotations

import ipaddress
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    Field,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    InitSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
)
from pydantic_settings import SettingsError as UnreadableVariable

ENV_PREFIX: Final = "CONCH_"
# An address may hold a password, under a mistyped name as well.
_ADDRESS_MARK: Final = "://"
# Of [security], where a key may stand under any mistyped name.
_PLAIN_SECURITY: Final = frozenset({"enable_auth", "allow_unauthenticated", "allowed_origins"})
# RFC 6750, section 2.1.
_SENDABLE_KEY: Final = re.compile(r"[A-Za-z0-9._~+/:@-]{8,200}=*")
_ORIGIN: Final = re.compile(r"https?://[^/\s?#@*]+", re.IGNORECASE)
# A slow write or two must not make other workers take a run for dead.
_LEASE_IN_CHECKPOINTS: Final = 3


class SettingsError(Exception):
    """A setting is missing, unknown or wrong; the text is one sentence for the operator."""


def _listed(value: object) -> object:
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return value


# A list in the file; the same, parted by commas, in the environment.
Names = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_listed)]


class Section(BaseModel, frozen=True, extra="forbid"):
    """A table of the configuration file."""


class ServerSettings(Section):
    """[server]: where the API listens and how it treats connections."""

    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=1, le=65535)
    workers: int = Field(default=1, ge=1, le=256)
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    body_timeout_s: PositiveFloat = 15
    write_timeout_s: PositiveFloat = 30
    idle_connection_timeout_s: PositiveInt = 75
    keepalive_interval_s: PositiveFloat = 10
    drain_timeout_s: PositiveFloat = 5


class TritonSettings(Section):
    """[triton]: the inference server behind the API, and how long it may take."""

    url: str = Field(default="127.0.0.1:8001", min_length=1, pattern=r"^[^\s/]+$")
    connect_timeout_s: PositiveFloat = 2
    probe_interval_s: PositiveFloat = 0.5
    probe_timeout_s: PositiveFloat = 2
    queue_timeout_s: PositiveFloat = 10
    first_token_timeout_s: PositiveFloat = 60
    between_tokens_timeout_s: PositiveFloat = 30
    total_timeout_s: PositiveFloat = 600
    max_message_bytes: PositiveInt = 64 * 1024 * 1024


class ModelSettings(Section):
    """[models]: which of Triton's models are served."""

    served: Names = ()


class StoreSettings(Section):
    """[store]: where sessions are kept: a MongoDB if it has an address, else one SQLite file."""

    mongodb_uri: SecretStr = SecretStr("")
    mongodb_database: str = Field(default="conch", pattern=r"^[\w-]{1,38}$")
    mongodb_driver: Literal["motor", "pymongo"] = "motor"
    sqlite_path: str = Field(default="data/conch.db", min_length=1)
    operation_timeout_s: PositiveFloat = 2
    checkpoint_interval_s: PositiveFloat = 1
    lease_s: PositiveFloat = Field(default=12, validate_default=True)
    max_pending_writes: PositiveInt = 1000
    title_by_model: bool = True

    @field_validator("mongodb_uri")
    @classmethod
    def _is_an_address(cls, value: SecretStr) -> SecretStr:
        if value and not value.get_secret_value().startswith(("mongodb://", "mongodb+srv://")):
            raise ValueError("It begins with mongodb:// or mongodb+srv://")
        return value

    @field_validator("lease_s")
    @classmethod
    def _outlasts_checkpoints(cls, value: float, others: ValidationInfo) -> float:
        if value < _LEASE_IN_CHECKPOINTS * others.data.get("checkpoint_interval_s", 0):
            raise ValueError(
                f"It must be at least {_LEASE_IN_CHECKPOINTS} times checkpoint_interval_s"
            )
        return value


class ApiKeySettings(Section):
    """[[security.api_keys]]: a key that the file knows, beside those in the database."""

    key: SecretStr
    name: str = Field(pattern=r"^[\w.@+-]{1,64}$")
    # "": its name.
    owner: str = Field(default="", pattern=r"^[\w.@:+-]{0,128}$")
    enabled: bool = True
    scopes: Annotated[
        tuple[Literal["chat", "sessions", "admin", "metrics"], ...],
        Field(min_length=1),
    ] = ("chat", "sessions")
    models: tuple[str, ...] = ()

    @field_validator("key")
    @classmethod
    def _can_be_sent(cls, value: SecretStr) -> SecretStr:
        if not _SENDABLE_KEY.fullmatch(value.get_secret_value()):
            raise ValueError("It must be 8 to 200 letters, digits or any of . _ ~ + / : @ -")
        return value


class SecuritySettings(Section):
    """[security]: who is let in."""

    enable_auth: bool = False
    allow_unauthenticated: bool = False
    allowed_origins: Names = ()
    api_keys: tuple[ApiKeySettings, ...] = ()

    @field_validator("allowed_origins")
    @classmethod
    def _are_origins(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not all(_ORIGIN.fullmatch(origin) for origin in value):
            raise ValueError("An origin looks like https://chat.example.com, with its port if any")
        return tuple(origin.lower() for origin in value)

    @field_validator("api_keys")
    @classmethod
    def _are_told_apart(cls, value: tuple[ApiKeySettings, ...]) -> tuple[ApiKeySettings, ...]:
        names = {each.name for each in value}
        keys = {each.key.get_secret_value() for each in value}
        if len(names) < len(value) or len(keys) < len(value):
            raise ValueError("Each must have a name and a key of its own")
        return value


class LimitSettings(Section):
    """[limits]: what one request may ask for, and how much is kept; 0 means without a limit."""

    max_body_bytes: PositiveInt = 1024 * 1024
    max_import_bytes: PositiveInt = 16 * 1024 * 1024
    max_sessions: NonNegativeInt = 1000
    session_ttl_seconds: NonNegativeInt = 0
    max_messages_per_session: NonNegativeInt = 2000
    idempotency_ttl_seconds: PositiveInt = 86_400


class ObservabilitySettings(Section):
    """[observability]: metrics and logs."""

    enable_metrics: bool = True
    metrics_path: str = Field(default="/metrics", pattern=r"^/[\w./-]*$")
    log_format: Literal["json", "text"] = "json"


class Settings(BaseSettings, frozen=True, extra="forbid"):
    """The whole configuration."""

    server: ServerSettings = ServerSettings()
    triton: TritonSettings = TritonSettings()
    models: ModelSettings = ModelSettings()
    store: StoreSettings = StoreSettings()
    security: SecuritySettings = SecuritySettings()
    limits: LimitSettings = LimitSettings()
    observability: ObservabilitySettings = ObservabilitySettings()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Take values from the constructor only; `load_settings` layers the sources."""
        return (init_settings,)


class _Environment(EnvSettingsSource):
    """The given mapping in place of the process's environment."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = {key.lower(): value for key, value in environ.items()}
        super().__init__(Settings, env_prefix=ENV_PREFIX, env_nested_delimiter="__")

    def _load_env_vars(self) -> Mapping[str, str | None]:
        return self._environ


def load_settings(
    path: Path | None,
    environ: Mapping[str, str],
    overrides: Mapping[str, Mapping[str, object]] | None = None,
) -> Settings:
    """Return the checked settings; later sources win: file, environment, overrides.

    Raises SettingsError, in one sentence that names the key and the value.
    """
    _refuse_unknown_variables(environ)
    try:
        layers = (_read_file(path), _Environment(environ)(), dict(overrides or {}))
        merged: dict[str, Any] = {}
        for layer in layers:
            merged = _overlaid(merged, layer)
        return Settings(**InitSettingsSource(Settings, merged)())
    except ValidationError as exc:
        raise SettingsError(_sentence(exc)) from exc
    except UnreadableVariable as exc:
        # Without its text: a key may be in it.
        raise SettingsError(f"{ENV_PREFIX}SECURITY__API_KEYS is not valid JSON.") from exc


def require_guard(settings: Settings) -> None:
    """Raise SettingsError when anybody on the network would be let in, and nobody asked for it."""
    security = settings.security
    is_open = not security.enable_auth and not security.allow_unauthenticated
    if is_open and not is_loopback(settings.server.host):
        raise SettingsError(
            f"Without keys the API listens on this machine only, and server.host is"
            f" {settings.server.host}: set security.enable_auth = true, or"
            " security.allow_unauthenticated = true to let everybody in."
        )


def is_loopback(host: str) -> bool:
    """Return whether that name or address leads to this machine alone."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _refuse_unknown_variables(environ: Mapping[str, str]) -> None:
    for name in environ:
        if not name.upper().startswith(ENV_PREFIX):
            continue
        section, _, key = name[len(ENV_PREFIX) :].lower().partition("__")
        if section not in Settings.model_fields or not key:
            raise SettingsError(
                f"The environment variable {name} is not a setting: "
                f"settings are named {ENV_PREFIX}<SECTION>__<KEY>."
            )


def _read_file(path: Path | None) -> dict[str, Any]:
    if path is None:
        return {}
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as exc:
        raise SettingsError(
            f"The configuration file {path} cannot be read: {exc.strerror}."
        ) from exc
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as exc:
        raise SettingsError(f"The configuration file {path} is not valid TOML: {exc}.") from exc


def _overlaid(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        beneath = merged.get(key)
        if isinstance(value, Mapping) and isinstance(beneath, Mapping):
            merged[key] = _overlaid(beneath, value)
        else:
            merged[key] = value
    return merged


def _sentence(error: ValidationError) -> str:
    first = error.errors()[0]
    key = ".".join(str(part) for part in first["loc"])
    value = repr(first["input"])
    value = "'***'" if _may_be_secret(first["loc"], value) else value
    if first["type"] == "extra_forbidden":
        return f"The setting {key} is not known (its value is {value})."
    return f"The setting {key} cannot be {value}: {first['msg']}."


def _may_be_secret(place: tuple[int | str, ...], value: str) -> bool:
    section, key = (*place, "", "")[:2]
    if section == "security":
        return key not in _PLAIN_SECURITY
    return (section, key) == ("store", "mongodb_uri") or _ADDRESS_MARK in value
