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
from typing import Any, Final

from pydantic import ValidationError
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    InitSettingsSource,
    PydanticBaseSettingsSource,
)
from pydantic_settings import SettingsError as UnreadableVariable

from frontend_api.sections import (
    ApiKeySettings,
    LimitSettings,
    ModelSettings,
    ObservabilitySettings,
    SecuritySettings,
    ServerSettings,
    StoreSettings,
    TracingSettings,
    TritonSettings,
)

__all__ = [
    "ENV_PREFIX",
    "ApiKeySettings",
    "LimitSettings",
    "ModelSettings",
    "ObservabilitySettings",
    "SecuritySettings",
    "ServerSettings",
    "Settings",
    "SettingsError",
    "StoreSettings",
    "TracingSettings",
    "TritonSettings",
    "is_loopback",
    "load_settings",
    "require_guard",
]

ENV_PREFIX: Final = "CONCH_"
# An address may hold a password, under a mistyped name as well.
_ADDRESS_MARK: Final = "://"
# A setting that is not known may be a key in the wrong place.
_KEY_NAME: Final = re.compile(r"key|secret|passw|token(?!s)", re.IGNORECASE)
# Of [security], where a key may stand under any mistyped name.
_PLAIN_SECURITY: Final = frozenset(
    {
        *("enable_auth", "allow_unauthenticated", "allowed_origins", "allowed_hosts"),
        *("trusted_proxies", "blocklist_path", "audit_days"),
    }
)


class SettingsError(Exception):
    """A setting is missing, unknown or wrong; the text is one sentence for the operator."""


class Settings(BaseSettings, frozen=True, extra="forbid"):
    """The whole configuration."""

    server: ServerSettings = ServerSettings()
    triton: TritonSettings = TritonSettings()
    models: ModelSettings = ModelSettings()
    store: StoreSettings = StoreSettings()
    security: SecuritySettings = SecuritySettings()
    limits: LimitSettings = LimitSettings()
    observability: ObservabilitySettings = ObservabilitySettings()
    tracing: TracingSettings = TracingSettings()

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
    is_unknown = first["type"] == "extra_forbidden"
    value = repr(first["input"])
    if _may_be_secret(first["loc"], value) or (is_unknown and _may_hold_key(key, first["input"])):
        value = "'***'"
    if is_unknown:
        return f"The setting {key} is not known (its value is {value})."
    return f"The setting {key} cannot be {value}: {first['msg']}."


def _may_be_secret(place: tuple[int | str, ...], value: str) -> bool:
    section, key = (*place, "", "")[:2]
    if section == "security":
        return key not in _PLAIN_SECURITY
    return (section, key) == ("store", "mongodb_uri") or _ADDRESS_MARK in value


def _may_hold_key(name: str, value: object) -> bool:
    """Return whether what nobody asked for may be a key, or a table with one in it."""
    return isinstance(value, Mapping | list) or _KEY_NAME.search(name) is not None
