"""What the machine around this process has left: room on a disk, days of a certificate."""

from __future__ import annotations

import os
import ssl

# Private, but what CPython's own tests read certificates with. A handshake with ourselves would
# tell the same, but not of a certificate that has ended; a library would be used for this alone.
from _ssl import _test_decode_cert  # type: ignore[attr-defined]
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class DiskFigures:
    """Bytes of a disk: those that this process may still write, and all."""

    free_bytes: int
    size_bytes: int


def disk_figures(place: Path) -> DiskFigures | None:
    """Look at the disk on which this file or folder is, or will be; None when nobody knows."""
    whole = place.absolute()
    for folder in (whole, *whole.parents):
        if folder.is_dir():
            return _disk_of(folder)
    return None


def _disk_of(folder: Path) -> DiskFigures | None:
    try:
        told = os.statvfs(folder)
    except OSError:
        return None
    return DiskFigures(told.f_bavail * told.f_frsize, told.f_blocks * told.f_frsize)


def certificate_end(path: str) -> float:
    """Return when the first certificate of this PEM file ends, in seconds since 1970.

    0.0 without a path. Raises OSError or ValueError (SSLError is one) when it cannot be read.
    """
    if not path:
        return 0.0
    return float(ssl.cert_time_to_seconds(_test_decode_cert(path)["notAfter"]))
