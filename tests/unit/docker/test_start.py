"""How the images start Triton: alone, beside others on one machine, and over several pods."""

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import pairwise
from pathlib import Path

import pytest

TRITON = Path(__file__).parents[3] / "docker" / "triton"
# What a pod of a LeaderWorkerSet is told; https://lws.sigs.k8s.io/docs/reference/labels-annotations-and-environment-variables/
LEADER = {
    "LWS_LEADER_ADDRESS": "triton-nodes-0.triton-nodes.conch",
    "LWS_GROUP_SIZE": "3",
    "LWS_WORKER_INDEX": "0",
    "GPUS_PER_NODE": "8",
}


def fake(folder: Path, name: str, script: str) -> None:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def run(script: str, tmp_path: Path, *arguments: str, **environ: str) -> tuple[int, str, str]:
    done = subprocess.run(
        [TRITON / script, *arguments],
        env={"PATH": f"{tmp_path}:/usr/bin:/bin", **environ},
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def test_triton_is_started_with_each_model_and_what_else_is_asked(tmp_path: Path) -> None:
    fake(tmp_path, "tritonserver", 'for word in "$@"; do echo "$word"; done')

    _, output, _ = run("start", tmp_path, "--log-verbose=1", MODELS="demo qwen", BACKENDS="/opt/b")

    words = output.splitlines()
    assert {"--load-model=demo", "--load-model=qwen", "--backend-directory=/opt/b"} <= {*words}
    assert "--model-control-mode=explicit" in words
    assert words[-1] == "--log-verbose=1"


@contextmanager
def running_triton(tmp_path: Path, num_gpus: str) -> Iterator[str]:
    """A Triton that tells its GPUs in its first line and stays; the line, without its end."""
    process = subprocess.Popen(
        [TRITON / "start"],
        env={
            "PATH": f"{tmp_path}:/usr/bin:/bin",
            "GPUS_PER_TRITON": num_gpus,
            "GPU_LOCKS": str(tmp_path),
        },
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    with process:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.communicate(timeout=20)


def test_tritons_on_one_machine_part_its_gpus(tmp_path: Path) -> None:
    fake(tmp_path, "nvidia-smi", "seq 0 3")
    fake(tmp_path, "tritonserver", 'echo "$CUDA_VISIBLE_DEVICES"; read -r _ || true')

    with ExitStack() as stack:
        taken = [stack.enter_context(running_triton(tmp_path, "2")) for _ in range(2)]
        status, _, said = run("start", tmp_path, GPUS_PER_TRITON="2", GPU_LOCKS=str(tmp_path))

    assert taken == ["0,1", "2,3"]
    assert (status, said) == (1, "No 2 of the 4 GPUs here are free for another Triton.\n")


def test_the_gpus_of_a_triton_that_ended_are_free_again(tmp_path: Path) -> None:
    fake(tmp_path, "nvidia-smi", "seq 0 3")
    fake(tmp_path, "tritonserver", 'echo "$CUDA_VISIBLE_DEVICES"; read -r _ || true')

    for _ in range(2):
        with running_triton(tmp_path, "1") as taken:
            assert taken == "0"


@pytest.fixture
def nodes(tmp_path: Path) -> dict[str, str]:
    """A leader's surroundings: ssh answers when asked again, mpirun tells what it was told."""
    (tmp_path / "ssh-publickey").write_text("ssh-ed25519 AAAA someone@somewhere\n")
    fails_once = "[ -e up ] || { : > up; exit 255; }"
    fake(tmp_path, "ssh", f'cd {tmp_path}; echo "$@" >> asked; {fails_once}')
    fake(tmp_path, "sleep", "true")
    fake(tmp_path, "mpirun", 'printf "%s\\n" "KEEP=$OMPI_MCA_orte_keep_fqdn_hostnames" "$@"')
    return {**LEADER, "SSH_KEYS": str(tmp_path), "TMPDIR": str(tmp_path)}


def test_the_leader_starts_a_rank_for_each_gpu_of_every_pod(
    tmp_path: Path, nodes: dict[str, str]
) -> None:
    status, output, said = run(
        "start-nodes", tmp_path, "--log-verbose=1", **nodes, NCCL_DEBUG="WARN"
    )

    words = output.splitlines()
    assert status == 0, said
    assert words[words.index("-n") + 1] == "24"
    assert words[words.index("--host") + 1] == (
        "triton-nodes-0.triton-nodes.conch:8,triton-nodes-0-1.triton-nodes.conch:8,"
        "triton-nodes-0-2.triton-nodes.conch:8"
    )
    assert words[-4:] == ["trtllm-llmapi-launch", "start-nodes", "--serve", "--log-verbose=1"]
    assert words[0] == "KEEP=1"
    passed = {after for word, after in pairwise(words) if word == "-x"}
    assert passed == {"NCCL_DEBUG", "PATH"}


def test_the_leader_waits_for_its_workers_and_knows_them_by_the_one_key(
    tmp_path: Path, nodes: dict[str, str]
) -> None:
    run("start-nodes", tmp_path, **nodes)

    asked = (tmp_path / "asked").read_text().splitlines()
    assert [line.split()[-2] for line in asked] == [
        *["triton-nodes-0-1.triton-nodes.conch"] * 2,
        "triton-nodes-0-2.triton-nodes.conch",
    ]
    known = asked[0].split("UserKnownHostsFile=")[1].split()[0]
    assert Path(known).read_text() == "* ssh-ed25519 AAAA\n"
    assert "StrictHostKeyChecking=yes" in asked[0]


def test_a_worker_that_never_answers_ends_the_leader(tmp_path: Path, nodes: dict[str, str]) -> None:
    fake(tmp_path, "ssh", "exit 255")

    status, _, said = run("start-nodes", tmp_path, **nodes, WAIT_ATTEMPTS="2")

    assert status == 1
    assert said == "triton-nodes-0-1.triton-nodes.conch did not answer.\n"


def test_a_triton_that_failed_ends_every_rank(tmp_path: Path) -> None:
    fake(tmp_path, "start-triton", f'echo "$@" > {tmp_path}/started; exit 3')

    with subprocess.Popen(["/bin/sleep", "60"]) as mpirun:
        status, _, _ = run(
            "start-nodes", tmp_path, "--serve", "--log-verbose=1", MPIRUN=str(mpirun.pid)
        )
        ended = mpirun.wait(timeout=20)

    assert (status, ended) == (1, -signal.SIGTERM)
    assert (tmp_path / "started").read_text() == "--log-verbose=1\n"


@pytest.mark.parametrize("script", ["start", "start-nodes"])
def test_help_shows_an_example(script: str, tmp_path: Path) -> None:
    status, output, _ = run(script, tmp_path, "--help")

    assert status == 0
    assert "Example: " in output
    assert os.access(TRITON / script, os.X_OK)
