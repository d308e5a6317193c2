"""The very commands of two Dockerfiles, run in fresh folders, and what they install, started."""

import shutil
import subprocess
import sysconfig
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from scripts.launcher.bootstrap import ROOT
from scripts.launcher.ports import free_port
from tests.e2e.conch_process import until
from tests.e2e.image_built import Image, build_image

pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Image]]:
    """Both images, made at the same time: each takes one core and the registry. Gone afterwards."""
    names = ("frontend", "triton-cpu")
    roots = [tmp_path_factory.mktemp(name) for name in names]
    try:
        with ThreadPoolExecutor() as pool:
            made = pool.map(build_image, [f"{name}.Dockerfile" for name in names], roots)
            yield dict(zip(names, made, strict=True))
    finally:
        # Half a gigabyte each, which pytest would keep for three runs.
        for root in roots:
            shutil.rmtree(root, ignore_errors=True)


def is_ok(url: str) -> bool:
    try:
        return httpx.get(url, timeout=2).is_success
    except httpx.TransportError:
        return False


@contextmanager
def started(
    image: Image, is_up: Callable[[], bool], *arguments: str, **environ: str
) -> Iterator[None]:
    """The image's entrypoint, running; it has to end well when it is asked to."""
    process = image.start(*arguments, **environ)
    try:
        until(lambda: is_up() or process.poll() is not None, "it answers", limit_s=180)
        yield
    finally:
        process.terminate()
        try:
            output, _ = process.communicate(timeout=30)
        except subprocess.TimeoutExpired:
            process.kill()
            output, _ = process.communicate()
    assert process.returncode == 0, output


def test_the_frontend_image_serves_the_api_and_the_chat(
    images: dict[str, Image], tmp_path: Path
) -> None:
    image = images["frontend"]
    port = free_port()
    address = f"http://127.0.0.1:{port}"

    with started(
        image,
        lambda: is_ok(f"{address}/health"),
        *("--port", str(port), "--workers", "1"),
        CONCH_SERVER__HOST="127.0.0.1",
        CONCH_TRITON__URL=f"127.0.0.1:{free_port()}",
        CONCH_STORE__SQLITE_PATH=str(tmp_path / "conch.db"),
    ):
        page = httpx.get(address, timeout=5)
        readiness = httpx.get(f"{address}/readiness", timeout=5)

    assert '<div id="root">' in page.text
    assert readiness.status_code == 503


def test_the_cpu_image_serves_the_demo(images: dict[str, Image]) -> None:
    image = images["triton-cpu"]
    http, grpc, metrics = free_port(), free_port(), free_port()
    # In the image libpython is in /usr/local/lib.
    library_path = image.inside(image.environ["LD_LIBRARY_PATH"])
    local = [f"--{kind}-address=127.0.0.1" for kind in ("http", "grpc", "metrics")]

    with started(
        image,
        lambda: is_ok(f"http://127.0.0.1:{http}/v2/health/ready"),
        *(f"--http-port={http}", f"--grpc-port={grpc}", f"--metrics-port={metrics}", *local),
        MODELS="demo",
        MODEL_REPOSITORY=str(ROOT / "model_repository"),
        LD_LIBRARY_PATH=f"{library_path}:{sysconfig.get_config_var('LIBDIR')}",
    ):
        ready = httpx.get(f"http://127.0.0.1:{http}/v2/models/demo/ready", timeout=5)

    assert ready.status_code == 200


def test_a_command_that_would_touch_this_machine_is_refused(tmp_path: Path) -> None:
    dockerfile = tmp_path / "x.Dockerfile"
    dockerfile.write_text("FROM scratch\nRUN rm -rf /opt/venv && rm -rf /etc/nothing-of-ours\n")

    with pytest.raises(AssertionError, match="/etc"):
        build_image(str(dockerfile), tmp_path)
