"""The tables of the configuration file, and what their values may be; settings.py reads them."""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated, Final, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ByteSize,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    SecretStr,
    ValidationInfo,
    field_validator,
)
from pydantic_settings import NoDecode

# RFC 6750, section 2.1.
_SENDABLE_KEY: Final = re.compile(r"[A-Za-z0-9._~+/:@-]{8,200}=*")
_HOST: Final = re.compile(r"\*|[\w.-]+|[0-9a-f:]+", re.ASCII | re.IGNORECASE)
_ORIGIN: Final = re.compile(r"https?://[^/\s?#@*]+", re.IGNORECASE)
_COLLECTOR: Final = re.compile(r"https?://[^/\s?#@]+/[^\s?#@]*")
# A slow write or two must not make other workers take a run for dead.
_LEASE_IN_CHECKPOINTS: Final = 3


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
    head_timeout_s: PositiveFloat = 10
    body_timeout_s: PositiveFloat = 15
    write_timeout_s: PositiveFloat = 30
    idle_connection_timeout_s: PositiveInt = 75
    keepalive_interval_s: PositiveFloat = 10
    drain_timeout_s: PositiveFloat = 5
    tls_certificate: str = ""
    tls_key: str = ""


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
    # Of the Triton that scripts/serve starts.
    metrics_port: int = Field(default=0, ge=0, le=65535)
    log_level: Literal["debug", "info", "warning", "error"] = "warning"


class ModelSettings(Section):
    """[models]: which of Triton's models are served, and when they are loaded; 0: no limit."""

    served: Names = ()
    warm: Names = ()
    default: str = ""
    aliases: dict[str, str] = Field(default_factory=dict)
    chat_templates: dict[str, str] = Field(default_factory=dict)
    load_on_demand: bool = True
    load_timeout_s: PositiveFloat = 600
    max_loaded_models: NonNegativeInt = 0
    max_loaded_bytes: ByteSize = Field(default=ByteSize(0), ge=0)
    idle_unload_s: NonNegativeFloat = 0


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
    rate_limit_per_minute: PositiveInt | None = None
    tokens_per_minute: PositiveInt | None = None
    tokens_per_day: PositiveInt | None = None
    parallel_requests: PositiveInt | None = None
    priority_weight: int = Field(default=1, ge=1, le=1000)

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
    allowed_hosts: Names = ()
    blocklist_path: str = ""
    audit_days: NonNegativeInt = 365
    trusted_proxies: Names = ()
    api_keys: tuple[ApiKeySettings, ...] = ()

    @field_validator("allowed_origins")
    @classmethod
    def _are_origins(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not all(_ORIGIN.fullmatch(origin) for origin in value):
            raise ValueError("An origin looks like https://chat.example.com, with its port if any")
        return tuple(origin.lower() for origin in value)

    @field_validator("trusted_proxies")
    @classmethod
    def _are_addresses(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for name in value:
            ipaddress.ip_network(name)
        return value

    @field_validator("allowed_hosts")
    @classmethod
    def _are_names(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not all(_HOST.fullmatch(name) for name in value):
            raise ValueError("A name looks like chat.example.com, without a port; * is any name")
        return tuple(name.lower() for name in value)

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
    max_websocket_message_bytes: PositiveInt = 1024 * 1024
    websocket_messages_per_minute: NonNegativeInt = 600
    max_prompt_length: NonNegativeInt = 0
    max_prompt_tokens: NonNegativeInt = 0
    max_response_tokens: NonNegativeInt = 0
    max_messages_per_request: NonNegativeInt = 0
    requests_per_minute_per_address: NonNegativeInt = 0
    requests_per_minute_per_key: NonNegativeInt = 0
    default_rate_limit_per_minute: NonNegativeInt = 0
    default_tokens_per_minute: NonNegativeInt = 0
    default_tokens_per_day: NonNegativeInt = 0
    default_parallel_requests: NonNegativeInt = 0
    max_sessions: NonNegativeInt = 1000
    session_ttl_seconds: NonNegativeInt = 0
    max_messages_per_session: NonNegativeInt = 2000
    idempotency_ttl_seconds: PositiveInt = 86_400
    max_parallel_per_model: int = Field(default=0, ge=0, le=4096)
    max_queue_per_model: int = Field(default=1024, ge=1, le=4096)
    max_queue_s: PositiveFloat = 60


class ObservabilitySettings(Section):
    """[observability]: metrics and logs."""

    enable_metrics: bool = True
    metrics_path: str = Field(default="/metrics", pattern=r"^/[\w./-]*$")
    log_format: Literal["json", "text"] = "json"


class TracingSettings(Section):
    """[tracing]: where traces are sent, by OTLP over HTTP; nowhere without an endpoint."""

    endpoint: str = ""
    sample_ratio: float = Field(default=1.0, ge=0, le=1)
    service_name: str = Field(default="conch", min_length=1, max_length=128)
    timeout_s: PositiveFloat = 5

    @field_validator("endpoint")
    @classmethod
    def _is_whole_and_without_password(cls, value: str) -> str:
        # It is logged, and given to tritonserver as an argument.
        if value and not _COLLECTOR.fullmatch(value):
            raise ValueError("It looks like http://127.0.0.1:4318/v1/traces, without a password")
        return value
