"""The command line and the settings become one plan, or one sentence."""

from pathlib import Path

import pytest

from scripts.launcher import options
from scripts.launcher.errors import LaunchError
from scripts.launcher.plan import Plan, make_plan


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    for name in ("demo", "other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.pbtxt").touch()
    return tmp_path


def plan(repository: Path, *argv: str, **environ: str) -> Plan:
    return make_plan(options.parse(["--repository", str(repository), *argv]), environ)


def test_without_any_setting_the_bundled_model_is_served_on_loopback(repository: Path) -> None:
    made = plan(repository)

    assert (made.host, made.port, made.models, made.triton_url) == (
        "127.0.0.1", 8000, ("demo",), None,
    )  # fmt: skip


def test_the_command_line_wins_over_the_environment_and_that_over_the_file(
    repository: Path, tmp_path: Path
) -> None:
    config = tmp_path / "config.toml"
    config.write_text('[server]\nport = 1111\nworkers = 3\nhost = "::1"\n')

    made = plan(
        repository, "--config", str(config), "--port", "3333",
        CONCH_SERVER__PORT="2222", CONCH_SERVER__WORKERS="2",
    )  # fmt: skip

    assert (made.host, made.workers, made.port) == ("::1", 2, 3333)


def test_models_come_from_the_command_line_or_the_settings(repository: Path) -> None:
    chosen = plan(repository, "--model", "other", CONCH_MODELS__SERVED="demo")
    set_up = plan(repository, CONCH_MODELS__SERVED="demo,other")

    assert (chosen.models, set_up.models) == (("other",), ("demo", "other"))


def test_a_missing_model_is_told_with_those_that_are_there(repository: Path) -> None:
    with pytest.raises(
        LaunchError, match=r"no model 'dmeo' in .*; there is: demo, other\."
    ) as told:
        plan(repository, "--model", "dmeo")

    assert told.value.exit_code == 2


def test_a_triton_elsewhere_needs_no_model_here(tmp_path: Path) -> None:
    given = plan(tmp_path, "--triton-url", "gpu-box:8001", "--model", "llama")
    set_up = plan(tmp_path, CONCH_TRITON__URL="gpu-box:8001")

    assert (given.triton_url, given.served_elsewhere) == ("gpu-box:8001", ("llama",))
    assert (set_up.triton_url, set_up.served_elsewhere) == ("gpu-box:8001", ())


@pytest.mark.parametrize(
    ("environ", "sentence"),
    [
        ({"CONCH_SERVER__PORT": "many"}, "server.port"),
        ({"CONCH_SERVER__PROT": "8000"}, "server.prot"),
        ({"CONCH_SEVER__PORT": "8000"}, "CONCH_SEVER__PORT"),
    ],
)
def test_a_wrong_setting_is_one_sentence(
    repository: Path, environ: dict[str, str], sentence: str
) -> None:
    with pytest.raises(LaunchError, match=sentence) as told:
        plan(repository, **environ)

    assert told.value.exit_code == 2
    assert "\n" not in str(told.value)


def test_port_0_on_the_command_line_asks_for_any_free_port(repository: Path) -> None:
    assert plan(repository, "--port", "0").port == 0


def test_triton_sends_its_traces_where_the_api_does(repository: Path) -> None:
    url = "http://127.0.0.1:4318/v1/traces"

    assert plan(repository).traces_to == ""
    assert plan(repository, CONCH_TRACING__ENDPOINT=url).traces_to == url


def test_the_port_of_tritons_metrics_is_chosen_or_any_free_one(repository: Path) -> None:
    chosen = plan(repository, "--metrics-port", "8002", CONCH_TRITON__METRICS_PORT="9002")
    set_up = plan(repository, CONCH_TRITON__METRICS_PORT="9002")

    assert (plan(repository).metrics_port, chosen.metrics_port, set_up.metrics_port) == (
        0, 8002, 9002,
    )  # fmt: skip


@pytest.mark.parametrize("environ", [{"METRICS_PORT": "8002"}, {"LOG_LEVEL": "info"}])
def test_what_is_for_our_own_triton_is_refused_for_another(
    repository: Path, environ: dict[str, str]
) -> None:
    settings = {f"CONCH_TRITON__{name}": value for name, value in environ.items()}

    with pytest.raises(LaunchError, match="is for the Triton that scripts/serve starts") as told:
        plan(repository, "--triton-url", "gpu-box:8001", **settings)

    assert told.value.exit_code == 2
