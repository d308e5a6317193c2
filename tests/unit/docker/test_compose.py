"""Compose files: their schema, what they mount, and that the API takes what it is given."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from frontend_api.settings import load_settings

DOCKER = Path(__file__).parents[3] / "docker"
FILES = sorted(DOCKER.glob("compose*.yaml"))
_DEFAULT = re.compile(r"\$\{(\w+):-([^}]*)\}")
# Made by people or by make_secrets; their folders are named in .env.example.
_MADE = ("./secrets/", "../data/")


def read(name: str) -> Any:
    text = (DOCKER / name).read_text()
    return yaml.safe_load(_DEFAULT.sub(lambda found: found[2], text))


def test_they_conform_to_the_compose_specification() -> None:
    checker = Path(sys.executable).parent / "check-jsonschema"

    done = subprocess.run(
        [checker, "--builtin-schema", "vendor.compose-spec", *FILES],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_folder_and_file_that_is_mounted_exists(path: Path) -> None:
    services = read(path.name)["services"].values()
    mounted = [volume.split(":")[0] for each in services for volume in each.get("volumes", ())]
    ours = [source for source in mounted if source[0] == "." and not source.startswith(_MADE)]

    assert [source for source in ours if not (DOCKER / source).exists()] == []


def test_every_value_that_can_be_changed_is_in_the_example() -> None:
    used = {match for path in FILES for match in _DEFAULT.findall(path.read_text())}
    lines = [line.partition("=") for line in (DOCKER / ".env.example").read_text().splitlines()]
    shown = {(name, value) for name, mark, value in lines if mark and name[0] != "#"}

    assert used == shown


def test_the_api_takes_the_settings_and_secrets_it_is_given(tmp_path: Path) -> None:
    subprocess.run([DOCKER / "make_secrets", tmp_path], check=True, capture_output=True, timeout=20)
    environ = read("compose.yaml")["services"]["conch"]["environment"]

    settings = load_settings(tmp_path / "conch.toml", environ)

    assert settings.security.enable_auth
    assert settings.triton.url == "haproxy:8001"
    assert settings.models.warm == ("demo",)
    metrics_key = (tmp_path / "conch_metrics_key").read_text()
    assert metrics_key in {key.key.get_secret_value() for key in settings.security.api_keys}
    assert (tmp_path / "mongodb_conch_password").read_text() in (
        settings.store.mongodb_uri.get_secret_value()
    )


def test_making_secrets_twice_keeps_them(tmp_path: Path) -> None:
    command = [DOCKER / "make_secrets", tmp_path]
    subprocess.run(command, check=True, capture_output=True, timeout=20)
    before = {path.name: path.read_text() for path in tmp_path.iterdir()}

    subprocess.run(command, check=True, capture_output=True, timeout=20)

    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == before
    assert tmp_path.stat().st_mode & 0o077 == 0


def test_prometheus_keeps_the_traces_that_metrics_name() -> None:
    command = read("compose.yaml")["services"]["prometheus"]["command"]

    # Prometheus scrapes exemplars without it as well, and throws them away.
    assert "--enable-feature=exemplar-storage" in command


@pytest.mark.parametrize("name", ["triton", "conch", "haproxy"])
def test_what_streams_is_given_longer_than_dockers_10_s_to_end(name: str) -> None:
    assert int(read("compose.yaml")["services"][name]["stop_grace_period"].removesuffix("s")) > 30
