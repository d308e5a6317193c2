"""Every setting of the service, read once: defaults, then the TOML file, then `CONCH_…`.

A section is a table of the file, a key is also `CONCH_<SECTION>__<KEY>`. Unknown
keys and bad values stop the start with one sentence. Only place that reads the environment.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    Field,
    PositiveFloat,
    PositiveInt,
    ValidationError,
)
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    InitSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
)

ENV_PREFIX: Final = "CONCH_"


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


class LimitSettings(Section):
    """[limits]: what one request may ask for."""

    max_body_bytes: PositiveInt = 1024 * 1024


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
    if first["type"] == "extra_forbidden":
        return f"The setting {key} is not known (its value is {first['input']!r})."
    return f"The setting {key} cannot be {first['input']!r}: {first['msg']}."
