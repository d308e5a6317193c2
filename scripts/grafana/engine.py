"""What the engines and Triton tell of themselves, through Triton's metrics."""

from __future__ import annotations

from typing import Final

from scripts.grafana.panels import Dashboard, Panel, Query
from scripts.grafana.queries import MODEL, gauge, or_none, rate

_EACH: Final = "{{model}}"
ENGINE: Final = Dashboard(
    uid="conch-engine",
    title="Engine",
    rows=(
        (
            Panel(
                "Sequences",
                "Being written and not started yet; waiting ones mean that the engine is full.",
                "short",
                [
                    Query(gauge("conch_running_sequences", MODEL, "model"), "{{model}} running"),
                    Query(gauge("conch_waiting_sequences", MODEL, "model"), "{{model}} waiting"),
                    Query(gauge("conch_max_running_sequences", MODEL, "model"), "{{model}} places"),
                ],
            ),
            Panel(
                "KV cache",
                "Share of its blocks in use; full and with sequences waiting, it is too small.",
                "percentunit",
                [
                    Query(
                        f"max by (model) (conch_kv_blocks_used{{{MODEL}}}"
                        f" / conch_kv_blocks{{{MODEL}}})",
                        _EACH,
                    )
                ],
                thresholds=((0.95, "red"),),
            ),
        ),
        (
            Panel(
                "Tokens read",
                "Of prompts in a second, as the engine counts them.",
                "short",
                [Query(rate("conch_prompt_tokens_total", MODEL, "model"), _EACH)],
            ),
            Panel(
                "Tokens written",
                "In a second, as the engine counts them.",
                "short",
                [Query(rate("conch_generated_tokens_total", MODEL, "model"), _EACH)],
            ),
            Panel(
                "Tokens found in the cache",
                "Of prompts in a second, which the engine did not have to read again.",
                "short",
                [Query(rate("conch_cached_tokens_total", MODEL, "model"), _EACH)],
            ),
        ),
        (
            Panel(
                "Triton's requests",
                "Executed in a second; the API's looks at its models are among them.",
                "reqps",
                [Query(rate("nv_inference_request_success", MODEL, "model"), _EACH)],
            ),
            Panel(
                "Triton's failures",
                "In a second; CANCELED are clients that left.",
                "reqps",
                [
                    Query(
                        rate("nv_inference_request_failure", MODEL, "model, reason"),
                        "{{model}} {{reason}}",
                    )
                ],
            ),
            Panel(
                "Requests pending in Triton",
                "Not yet given to the model's process.",
                "short",
                [Query(gauge("nv_inference_pending_request_count", MODEL, "model"), _EACH)],
            ),
        ),
        (
            Panel(
                "GPUs",
                "Share of the time that each works; 0 alone where there is none.",
                "percentunit",
                [Query(or_none("max by (gpu_uuid) (nv_gpu_utilization)"), "{{gpu_uuid}}")],
            ),
            Panel(
                "Memory of GPUs",
                "Share in use; engines take theirs at the start and keep it.",
                "percentunit",
                [
                    Query(
                        or_none(
                            "max by (gpu_uuid) (nv_gpu_memory_used_bytes"
                            " / nv_gpu_memory_total_bytes)"
                        ),
                        "{{gpu_uuid}}",
                    )
                ],
                thresholds=((0.98, "red"),),
            ),
            Panel(
                "Power of GPUs",
                "Watts that each takes.",
                "watt",
                [Query(or_none("max by (gpu_uuid) (nv_gpu_power_usage)"), "{{gpu_uuid}}")],
            ),
        ),
        (
            Panel(
                "Microseconds in Triton's queue",
                "Of one request, on average.",
                "µs",
                [
                    Query(
                        f"{rate('nv_inference_queue_duration_us', MODEL, 'model')}"
                        f" / {rate('nv_inference_request_success', MODEL, 'model')}",
                        _EACH,
                    )
                ],
            ),
            Panel(
                "Processors",
                "Share of the machine's processors in use.",
                "percentunit",
                [Query("max by (instance) (nv_cpu_utilization)", "{{instance}}")],
            ),
            Panel(
                "Memory",
                "Of the machine, used and in all.",
                "bytes",
                [
                    Query("max by (instance) (nv_cpu_memory_used_bytes)", "{{instance}} used"),
                    Query("max by (instance) (nv_cpu_memory_total_bytes)", "{{instance}} in all"),
                ],
            ),
        ),
    ),
)
