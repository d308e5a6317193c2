"""Every class, argument and flag that is used is one of the facts: unknown ones are ignored."""

import ast
from pathlib import Path

import pytest

from scripts.engines.choices import Choice, Wishes, choose
from scripts.engines.commands import Places, checkpoint_command, engine_commands
from scripts.engines.memory import GIB
from scripts.engines.profiles import PROFILES
from scripts.engines.source_model import read_source
from tests.tensorrt_llm_facts import entries, flags, names
from tests.tensorrt_llm_machine import checkpoint_folder, engine_folder
from tests.unit.engines.checkpoints_made import TINY, write_checkpoint
from triton_backend.llm.engines import tensorrt_llm_library
from triton_backend.llm.engines.protocol import SequenceParams
from triton_backend.llm.engines.tensorrt_llm_options import TensorRtLlmOptions, llm_arguments
from triton_backend.llm.engines.tensorrt_llm_sampling import guide_arguments, sampling_arguments
from triton_backend.llm.manifest import CHECKPOINT, ENGINE, read_manifest
from triton_backend.llm.request import Guide, Sampling

EVERYTHING = Sampling(
    temperature=0.7,
    top_p=0.9,
    top_k=5,
    min_p=0.1,
    repetition_penalty=1.1,
    presence_penalty=0.1,
    frequency_penalty=0.1,
    min_tokens=1,
    log_probs=True,
    logit_bias={1: 1.0},
)
SAMPLING_NAMES = names("SamplingParams", "params", "private_but_settable")
ENGINE_NAMES = names("TrtLlmArgs", "params")
CHECKPOINT_NAMES = names("TorchLlmArgs", "params_1_2rc", "params_added_until_1_3rc")
# Of what later versions have, the facts list paths: "telemetry_config.*".
LATER_NAMES = {name.partition(".")[0] for name in entries()["TorchLlmArgs"]["main_fields_seen"]}


@pytest.mark.parametrize("kind", [ENGINE, CHECKPOINT])
def test_sampling_parameters_are_known(kind: str) -> None:
    params = SequenceParams(EVERYTHING, max_tokens=1, seed=1, stop_token_ids=(1, 2))

    assert sampling_arguments(params, kind, 16).keys() <= SAMPLING_NAMES


@pytest.mark.parametrize(
    "guide",
    [
        Guide("json", ""),
        Guide("json_schema", '{"pattern":"a","type":"string"}'),
        Guide("regex", "a"),
        Guide("ebnf_grammar", 'root ::= "a"'),
    ],
)
def test_guides_are_known(guide: Guide) -> None:
    assert guide_arguments(guide).keys() <= names("GuidedDecodingParams", "params")


def test_the_arguments_of_a_compiled_engine_are_known(tmp_path: Path) -> None:
    folder = engine_folder(tmp_path)
    options = TensorRtLlmOptions(kv_cache_tokens=9)

    given = llm_arguments(folder, read_manifest(folder), options, ())

    assert given.keys() <= ENGINE_NAMES
    assert "backend" not in given
    cache = given["kv_cache_config"]
    assert isinstance(cache, dict)
    assert cache.keys() <= names("KvCacheConfig", "params")


def test_the_arguments_of_a_checkpoint_are_known(tmp_path: Path) -> None:
    folder = checkpoint_folder(tmp_path)
    (folder / "lora" / "pirate").mkdir(parents=True)

    given = llm_arguments(folder, read_manifest(folder), TensorRtLlmOptions(), LATER_NAMES)

    assert given.keys() <= CHECKPOINT_NAMES | LATER_NAMES
    lora = given["lora_config"]
    assert isinstance(lora, dict)
    assert lora.keys() <= names("LoraConfig", "params")


def test_an_older_version_is_given_only_what_it_knows(tmp_path: Path) -> None:
    folder = checkpoint_folder(tmp_path)

    given = llm_arguments(folder, read_manifest(folder), TensorRtLlmOptions(), CHECKPOINT_NAMES)

    assert given.keys() <= CHECKPOINT_NAMES


def test_what_is_imported_is_where_the_facts_say() -> None:
    known = {(e["module"], e.get("name", e["id"])) for e in entries().values() if "module" in e}
    known |= {("tensorrt_llm", "LLM"), ("tensorrt_llm._tensorrt_engine", "LLM")}

    assert set(_imported()) <= known
    assert len(_imported()) == 7


def test_only_one_module_imports_the_library() -> None:
    folder = Path(tensorrt_llm_library.__file__).parents[1]
    importing = [
        path.name
        for path in folder.rglob("*.py")
        if 'import_module("tensorrt_llm' in path.read_text(encoding="utf-8")
    ]

    assert importing == ["tensorrt_llm_library.py"]


@pytest.mark.parametrize("sm", PROFILES)
def test_the_flags_of_every_build_are_known(sm: int, tmp_path: Path) -> None:
    plugins = {f"--{name}" for name in names("PluginConfig", "cli_exposed")}
    formats = [e for e in PROFILES[sm].engine if e != "w4a8_awq"]  # of no family here
    for weights in formats:
        choice = _choice(tmp_path / weights, sm, Wishes(weights=weights, tensor_parallel=2))
        places = Places(tmp_path, tmp_path, tmp_path, tmp_path, adapters=(tmp_path,))

        quantize, build = engine_commands(choice, PROFILES[sm], places, "examples", 8)

        assert set(quantize.checked) <= flags("quantize.py")
        assert set(build.checked) <= flags("trtllm-build") | plugins
        assert quantize.argv[quantize.argv.index("--qformat") + 1] in _choices_of("--qformat")


def test_the_flags_of_modelopt_are_known(tmp_path: Path) -> None:
    choice = _choice(tmp_path / "m", 90, Wishes(weights="fp8"), is_engine=False)

    command = checkpoint_command(choice, Places(tmp_path, tmp_path, tmp_path))

    known = entries()["modelopt_hf_export"]["command"]
    assert all(part in known for part in command.argv if part.startswith("--"))
    assert "huggingface_example.sh" in known


def _choice(folder: Path, sm: int, wishes: Wishes, *, is_engine: bool = True) -> Choice:
    source = read_source(write_checkpoint(folder, TINY))
    return choose(source, PROFILES[sm], 80 * GIB, wishes, is_engine=is_engine)


def _choices_of(flag: str) -> list[str]:
    found = next(one for one in entries()["quantize.py"]["flags"] if one["name"] == flag)
    return [part.strip() for part in found["type"].split("|")]


def _imported() -> list[tuple[str, str]]:
    """(module, name) of all that the library module takes from the package."""
    tree = ast.parse(Path(tensorrt_llm_library.__file__).read_text(encoding="utf-8"))
    modules = {
        target.id: call
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and (call := _module(node.value))
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            module = _module(node.value)
            if isinstance(node.value, ast.Name):
                module = modules.get(node.value.id)
            if module:
                found.append((module, node.attr))
    return found


def _module(node: ast.expr) -> str | None:
    """The name in importlib.import_module("name")."""
    if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "import_module":
        (argument,) = node.args
        return str(argument.value) if isinstance(argument, ast.Constant) else None
    return None
