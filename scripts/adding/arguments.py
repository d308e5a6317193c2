"""The command line of `scripts/add_model`; standard library only: it is read before any install."""

import argparse
import re
from pathlib import Path
from typing import Final, NoReturn

ROOT: Final = Path(__file__).resolve().parents[2]
QUANTIZATIONS: Final = ("int8", "int4", "fp16")
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_EXAMPLES: Final = """examples:
  scripts/add_model Qwen/Qwen2.5-0.5B-Instruct --name qwen
  scripts/add_model ./my-finetune --name mine --quantization int4
  scripts/add_model ./model-q4_0.gguf --name small
  scripts/add_model Qwen/Qwen2.5-0.5B-Instruct-GGUF/qwen2.5-0.5b-instruct-q8_0.gguf --dry-run
  scripts/add_model ./Llama-3.1-8B-Instruct --tokenizer-only --name llama-template
"""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(2, message[:1].upper() + message[1:] + "; see scripts/add_model --help.\n")


def parse(argv: list[str]) -> argparse.Namespace:
    """Return the arguments; a wrong one ends the process with one sentence and exit code 2."""
    parser = _Parser(
        prog="scripts/add_model",
        description="Fetch a model, compile it for this machine, try it, and add it to what Triton"
        " serves. GPUs: scripts/build_engine compiles TensorRT-LLM engines.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("source", metavar="SOURCE", help="owner/model on Hugging Face, a folder, or a .gguf file")
    add("--name", type=model_name, help="what clients call it (default: from the source)")
    add("--revision", help="a commit, branch or tag on Hugging Face (default: main)")
    add("--quantization", choices=QUANTIZATIONS, help="of the weights (default: int8)")
    add("--context", type=_count, metavar="TOKENS", help="a shorter context than the model's own")
    add("--repository", type=Path, default=ROOT / "model_repository", help="where it is added")
    add("--replace", action="store_true", help="put it in the place of a model of that name")
    add(
        "--tokenizer-only",
        action="store_true",
        help="of a folder: tokenizer and chat template, for NVIDIA's stock models",
    )
    add("--no-compare", action="store_true", help="do not compare its answers with the source's")
    add("--offline", action="store_true", help="use only what was fetched before")
    add("--dry-run", action="store_true", help="print the plan and change nothing")
    return parser.parse_args(argv)


def name_from(source: str) -> str:
    """Return a name for a model that was given none: the last part of its source."""
    last = re.sub(r"\.gguf$", "", Path(source).name, flags=re.IGNORECASE)
    return re.sub(r"[^A-Za-z0-9._-]+", "-", last).strip("-.").lower()[:64] or "model"


def model_name(text: str) -> str:
    """Return it; ArgumentTypeError for what is no name of a folder in the repository."""
    if not _NAME.fullmatch(text):
        raise argparse.ArgumentTypeError(
            f"{text!r} is no name: use up to 64 letters, digits, dots, dashes and underscores"
        )
    return text


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of tokens")
    return int(text)
