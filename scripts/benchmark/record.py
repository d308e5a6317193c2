"""A benchmark as a document: what was measured, on what, and every run's figures.

The document is JSON, `"conch_benchmark": 1`; times are in the units that the names tell.
"""

import json
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from scripts.benchmark.figures import Figures, middle

FORMAT: Final = 1
_MARK: Final = "conch_benchmark"
_CPUS: Final = Path("/proc/cpuinfo")


class UnreadableRecordError(Exception):
    """A file is no record of a benchmark; the message is one sentence."""


@dataclass(frozen=True, slots=True)
class Run:
    """One run of one step. number: of its round, from 1 on."""

    step: str
    streams: int
    number: int
    figures: Figures


@dataclass(frozen=True, slots=True)
class Record:
    """Everything that one call of scripts/bench measured. tokens: of each stream."""

    started_at: str
    machine: Mapping[str, str]
    model: str
    tokens: int
    workers: int
    runs: Sequence[Run]

    def streams(self) -> Sequence[int]:
        """Return the numbers of streams that were measured, in rising order."""
        return sorted({run.streams for run in self.runs})

    def middle(self, step: str, streams: int) -> Figures:
        """Return the medians of a step's rounds."""
        found = [r.figures for r in self.runs if (r.step, r.streams) == (step, streams)]
        return middle(found)


def now() -> str:
    """Return this second, in UTC."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def this_machine() -> Mapping[str, str]:
    """Return what the figures depend on, without the machine's name."""
    return {
        "system": f"{platform.system()} {platform.machine()}",
        "processor": _processor(),
        "cores": str(len(os.sched_getaffinity(0))),
        "python": platform.python_version(),
    }


def write_record(record: Record, path: Path) -> None:
    """Write the document."""
    document = {_MARK: FORMAT, **asdict(record)}
    path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


def read_record(path: Path) -> Record:
    """Return what was written; raises UnreadableRecordError for anything else."""
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        if told.pop(_MARK) != FORMAT:
            raise ValueError
        runs = [Run(**{**run, "figures": Figures(**run["figures"])}) for run in told.pop("runs")]
        record = Record(**told, runs=runs)
        _check(record)
    except OSError as error:
        raise UnreadableRecordError(f"{path} cannot be read: {error.strerror}.") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UnreadableRecordError(f"{path} is not what scripts/bench --json writes.") from error
    return record


def _check(record: Record) -> None:
    """Raise ValueError where a figure is no number, or a step was not run as often as others."""
    numbers = [getattr(run.figures, each.name) for run in record.runs for each in fields(Figures)]
    numbers += [run.streams for run in record.runs]
    if not record.runs or not all(isinstance(value, int | float) for value in numbers):
        raise ValueError
    each_step = {
        step: [r.streams for r in record.runs if r.step == step] for step in _steps(record)
    }
    if len({tuple(sorted(streams)) for streams in each_step.values()}) != 1:
        raise ValueError


def _steps(record: Record) -> set[str]:
    return {run.step for run in record.runs}


def _processor() -> str:
    try:
        lines = _CPUS.read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or "unknown"
