"""`scripts/fleet`: its words, and the sentences for what is wrong or missing."""

from pathlib import Path

import pytest

from scripts.launcher.errors import LaunchError
from scripts.launcher.ports import free_port
from scripts.scaling.__main__ import main
from scripts.scaling.fleet import fleet_folder
from scripts.scaling.haproxy import find_haproxy
from scripts.scaling.mongods import Member, must_answer
from scripts.scaling.options import parse
from scripts.scaling.status import Row, table


def test_without_words_a_fleet_is_started() -> None:
    options = parse(["--tritons", "4", "--frontends", "3", "--workers", "2"])

    assert (options.command, options.tritons, options.frontends) == ("start", 4, 3)
    assert (options.workers, options.mongods, options.port) == (2, 1, 8000)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--tritons", "0"], "'0' is not a whole number from 1 to 16"),
        (["--mongods", "many"], "'many' is not a whole number from 1 to 7"),
        (["restart"], "Restart takes one of tritons, frontends"),
        (["measure", "nothing"], "Measure takes one of throughput"),
        (["status", "tritons"], "Status takes nothing more, got 'tritons'"),
        (["--trtons=2"], "Unrecognized arguments: --trtons=2"),
        (["status", "--tritons", "4"], "This command would not look at --tritons"),
        (["measure", "kills", "--seconds", "5"], "This command would not look at --seconds"),
        (["--model", "demo", "--token-ms", "5"], "This command would not look at --token-ms"),
        (["--repository", "x"], "This command would not look at --repository"),
        (["--mongodb-uri", "mongodb://x", "--mongods", "3"], "This command would not look at --mo"),
    ],
)
def test_a_wrong_word_is_one_sentence(
    arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)

    said = capsys.readouterr().err
    assert ended.value.code == 2
    assert said.startswith(sentence) or sentence in said
    assert len(said.splitlines()) == 1


def test_a_port_without_a_fleet_is_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["restart", "tritons", "--port", "1"]) == 2

    assert capsys.readouterr().err == "No fleet runs on port 1; name its --port.\n"


async def test_a_given_mongodb_that_is_away_is_one_sentence_without_its_password() -> None:
    with pytest.raises(LaunchError, match=r"^The MongoDB of --mongodb-uri gives no answer") as told:
        await must_answer("mongodb://me:secret@127.0.0.1:1/")

    assert told.value.exit_code == 2
    assert "secret" not in str(told.value)


def test_a_second_fleet_on_a_port_leaves_the_first_ones_folder_alone() -> None:
    port = free_port()
    with fleet_folder(port) as folder:
        (folder / "haproxy.cfg").touch()

        with pytest.raises(LaunchError, match=f"has port {port}") as refused, fleet_folder(port):
            pytest.fail("there were two")

        assert refused.value.exit_code == 2
        assert (folder / "haproxy.cfg").exists()
    with fleet_folder(port):
        pass  # free again
    folder.rmdir()


def test_a_missing_haproxy_is_named_with_how_to_get_it() -> None:
    with pytest.raises(LaunchError, match="sudo apt install haproxy") as refused:
        find_haproxy("/nowhere")

    assert refused.value.exit_code == 2


async def test_a_primary_that_does_not_step_down_is_one_sentence(tmp_path: Path) -> None:
    nobody = Member("mongod", tmp_path, port=1)

    with pytest.raises(LaunchError, match="does not step down"):
        await nobody.step_down()


def test_the_table_has_a_column_for_each_fact() -> None:
    rows = [
        Row("triton1", "up", 11, "127.0.0.1:1", 3, 0, "metrics"),
        Row("mongod1", "away", None, "127.0.0.1:2", None, None, ""),
    ]

    assert table(rows).splitlines() == [
        "part     state  pid  address      requests  broken",
        "triton1  up     11   127.0.0.1:1  3         0       metrics",
        "mongod1  away        127.0.0.1:2",
    ]
