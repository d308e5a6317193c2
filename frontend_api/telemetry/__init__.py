"""Metrics: what is measured (families, original) and how it is told (recording)."""

from frontend_api.telemetry.host import certificate_end, disk_figures
from frontend_api.telemetry.process import process_figures
from frontend_api.telemetry.recording import GenerationRecord, Telemetry

__all__ = ["GenerationRecord", "Telemetry", "certificate_end", "disk_figures", "process_figures"]
