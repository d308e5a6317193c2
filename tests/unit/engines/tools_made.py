"""NVIDIA's build tools as scripts that know the same flags and leave the same files."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from scripts.adding.arguments import ROOT
from tests.tensorrt_llm_facts import flags, names
from tests.tensorrt_llm_machine import H100, machine

# In sh and not in Python, whose start takes most of a test's time.
_TOOL = """#!/bin/sh -eu
case "$*" in *--help*) echo "{flags}"; exit;; esac
{failure}
while [ $# -gt 0 ]; do
  case "$1" in
    --output_dir) out=$2;;
    --workers) workers=$2;;
    --max_seq_len) length=$2;;
    --max_batch_size) batch=$2;;
    --max_num_tokens) tokens=$2;;
    --lora_plugin) lora='"auto"';;
  esac
  shift 2
done
mkdir "$out"
"""
_BUILD = """
cat > "$out/config.json" <<END
{{"version": "{version}", "pretrained_config": {{"vocab_size": 512}}, "build_config": {{
  "max_seq_len": $length, "max_batch_size": $batch, "max_num_tokens": $tokens,
  "plugin_config": {{"lora_plugin": ${{lora-null}}}}}}}}
END
rank=0
while [ $rank -lt $workers ]; do
  echo engine > "$out/rank$rank.engine"
  rank=$((rank + 1))
done
"""
# The trial is a stand-in's too, where it is not the point.
_PYTHON = """#!/bin/sh
if [ "$1" = -m ]; then {trial}; fi
exec /bin/sh "$@"
"""
_TRIED = """echo 'a library speaks'; echo '{"text": "Ahoy", "agreement": null}'; exit"""
# Runs what follows the image; all paths are the same in there.
_DOCKER = """#!/bin/sh
until case "$1" in nvcr.io/*) true;; *) false;; esac; do
  if [ "$1" = --env ]; then export "$2"; fi
  if [ "$1" = --workdir ]; then cd "$2"; fi
  shift
done
shift
exec "$@"
"""
_MODELOPT = """#!/bin/sh -eu
made="$ROOT_SAVE_PATH/saved_models_it_hf"
mkdir "$made"
cp "$2"/*.safetensors "$2/config.json" "$made/"
echo '{"quantization": {"quant_algo": "FP8"}}' > "$made/hf_quant_config.json"
"""


def build_flag_names() -> str:
    """All flags of trtllm-build, its plugins' included."""
    plugins = {f"--{name}" for name in names("PluginConfig", "cli_exposed")}
    return " ".join(sorted(flags("trtllm-build") | plugins))


def write_tool(path: Path, text: str) -> Path:
    """An executable file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    path.chmod(0o755)
    return path


def real_trial(folder: Path) -> str:
    """The trial itself, with the double of TensorRT-LLM of the workshop in this folder."""
    return f'PYTHONPATH={folder / "site"}:{ROOT} exec {sys.executable} "$@"'


def write_modelopt(folder: Path) -> Path:
    """A clone of ModelOpt, as far as it is used."""
    scripts = folder / "examples" / "llm_ptq" / "scripts"
    write_tool(scripts / "huggingface_example.sh", _MODELOPT)
    write_tool(scripts / "parser.sh", "# --export_fmt")
    return folder


@contextmanager
def workshop(
    folder: Path,
    *,
    gpus: str = H100,
    version: str = "1.2.1",
    known: str | None = None,
    fails: str = "",
    trial: str = _TRIED,
) -> Iterator[Path]:
    """A machine with these GPUs and all tools; yields the folder of the examples.

    known: what the help of trtllm-build names, if not everything. fails: the tool that does.
    trial: what runs in the trial's place.
    """
    examples, tools = folder / "examples", folder / "tools"
    heads = {
        name: _TOOL.format(flags=text, failure="exit 1" if fails == name else "")
        for name, text in (
            ("quantize.py", " ".join(sorted(flags("quantize.py")))),
            ("trtllm-build", build_flag_names() if known is None else known),
        )
    }
    write_tool(examples / "quantization" / "quantize.py", heads["quantize.py"])
    write_tool(tools / "trtllm-build", heads["trtllm-build"] + _BUILD.format(version=version))
    write_tool(tools / "docker", _DOCKER)
    write_tool(tools / "python3", _PYTHON.format(trial=trial))
    with machine(folder, gpus=gpus, version=version), pytest.MonkeyPatch.context() as patch:
        patch.delenv("PYTHONHOME")
        patch.setenv("PATH", f"{tools}{os.pathsep}{os.environ['PATH']}")
        yield examples
