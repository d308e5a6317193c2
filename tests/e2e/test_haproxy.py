"""HAProxy takes the files of docker/haproxy, alone and as they are combined."""

import os
import subprocess
from pathlib import Path

import pytest
import trustme

FOLDER = Path(__file__).parents[2] / "docker" / "haproxy"


@pytest.mark.parametrize(
    "names", [("haproxy",), ("haproxy", "web"), ("haproxy", "web", "tls")], ids="+".join
)
def test_haproxy_takes_its_files_without_a_warning(names: tuple[str, ...], tmp_path: Path) -> None:
    certificate = tmp_path / "tls.pem"
    trustme.CA().issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(certificate)
    files = [part for name in names for part in ("-f", str(FOLDER / f"{name}.cfg"))]

    # -dW: a warning is an error.
    done = subprocess.run(
        ["haproxy", "-c", "-dW", *files],
        env={**os.environ, "CONCH_TLS_FILE": str(certificate)},
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )

    assert done.returncode == 0, done.stderr
