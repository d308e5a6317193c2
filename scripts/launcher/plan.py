"""What to run: the command line and the settings, checked and put together."""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from frontend_api.settings import Settings, SettingsError, TritonSettings, load_settings
from scripts.launcher.errors import LaunchError

ROOT = Path(__file__).resolve().parents[2]
DEFAULT_REPOSITORY = ROOT / "model_repository"
DEFAULT_MODELS = ("demo",)


@dataclass(frozen=True)
class Plan:
    """Everything the launcher needs to know.

    triton_url: a Triton to use instead of our own; served_elsewhere: which of its models (all
    if empty). models, repository: what our own loads at its start, and from where; the rest of
    the repository is loaded when it is asked for. traces_to: the collector of traces, if any.
    metrics_port: Triton's, 0 for any free one; triton_log_level: from which on its
    lines are logged.
    """

    host: str
    port: int
    workers: int
    drain_s: float
    config: Path | None
    models: Sequence[str]
    repository: Path
    triton_url: str | None
    served_elsewhere: Sequence[str]
    traces_to: str
    metrics_port: int
    triton_log_level: str
    log_format: str


def make_plan(options: argparse.Namespace, environ: Mapping[str, str]) -> Plan:
    """Return the plan. Raises LaunchError (exit code 2) for a wrong setting or a missing model."""
    settings = _load(options, environ)
    server, triton = settings.server, settings.triton
    is_elsewhere = "url" in triton.model_fields_set
    if is_elsewhere:
        _refuse_what_is_not_ours(triton)
    models = settings.models
    named = tuple(options.model or models.served)
    first = options.model or models.warm or models.served
    plan = Plan(
        host=server.host,
        port=server.port if options.port != 0 else 0,
        workers=server.workers,
        drain_s=server.drain_timeout_s,
        config=options.config.resolve() if options.config else None,
        models=tuple(first) or DEFAULT_MODELS,
        repository=(options.repository or DEFAULT_REPOSITORY).resolve(),
        triton_url=triton.url if is_elsewhere else None,
        served_elsewhere=named if is_elsewhere else (),
        traces_to=settings.tracing.endpoint,
        metrics_port=triton.metrics_port,
        triton_log_level=triton.log_level,
        log_format=settings.observability.log_format,
    )
    if not is_elsewhere:
        _check_models(plan)
    return plan


def _load(options: argparse.Namespace, environ: Mapping[str, str]) -> Settings:
    server = {
        "host": options.host,
        "port": options.port or None,  # 0 is the launcher's own: any free port
        "workers": options.workers,
    }
    triton = {"url": options.triton_url, "metrics_port": options.metrics_port}
    overrides = {
        section: {name: value for name, value in given.items() if value is not None}
        for section, given in {"server": server, "triton": triton}.items()
    }
    try:
        return load_settings(options.config, environ, overrides)
    except SettingsError as exc:
        raise LaunchError(str(exc), exit_code=2) from exc


def _refuse_what_is_not_ours(triton: TritonSettings) -> None:
    for name in ("metrics_port", "log_level"):
        if name in triton.model_fields_set:
            raise LaunchError(
                f"The setting triton.{name} is for the Triton that scripts/serve starts, and"
                " triton.url names another.",
                exit_code=2,
            )


def _check_models(plan: Plan) -> None:
    there = sorted(path.parent.name for path in plan.repository.glob("*/config.pbtxt"))
    for name in plan.models:
        if name not in there:
            listed = ", ".join(there) or "no model"
            raise LaunchError(
                f"There is no model {name!r} in {plan.repository}; there is: {listed}.",
                exit_code=2,
            )
