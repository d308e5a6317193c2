"""Adds a model without weights: the tokenizer and chat template of one that NVIDIA's serve."""

import argparse
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from scripts.adding import arguments, place
from scripts.adding.errors import AddingError
from scripts.adding.inspection import chat_template, eos_ids, tool_format
from scripts.adding.writing import CONFIG, TEMPLATE
from triton_backend.llm.errors import LoadError, RequestError
from triton_backend.llm.manifest import EngineManifest, ModelSource, write_manifest
from triton_backend.llm.request import ChatPrompt
from triton_backend.llm.service import open_model

ENGINE: Final = "tokenizer"
_FILES: Final = ("tokenizer.json", "tokenizer_config.json", "generation_config.json", "config.json")
# The stock model has its own limit, which it tells; this one only bounds a conversation.
_CONTEXT: Final = 1_000_000


def add_tokenizer(options: argparse.Namespace, say: Callable[[str], None]) -> None:
    """Add what the folder has, once its template has printed a conversation; AddingError."""
    source = Path(options.source).expanduser().resolve()
    repository = options.repository.resolve()
    name = options.name or arguments.name_from(options.source)
    if options.quantization or options.revision:
        raise AddingError("--tokenizer-only takes a folder of this machine, without weights.", 2)
    place.require_free(repository, name, replaces=options.replace)
    if not (source / "tokenizer.json").is_file():
        raise AddingError(f"{source.name} has no tokenizer.json.")
    template = chat_template(source)
    if template is None:
        raise AddingError(f"{source.name} has no chat template.")
    say(f"Adds:     {name}, a tokenizer and a chat template without weights")
    if options.dry_run:
        return
    with place.staged(repository, name) as folder:
        _write(folder, source, template, options.context or _CONTEXT)
        say(f"It prints: {_tried(folder / '1')!r}")
        place.put_in_place(folder, repository / name)
    say(f'{name} was added. Name it in config.toml: chat_templates = {{ ensemble = "{name}" }}')


def _write(folder: Path, source: Path, template: str, context_length: int) -> None:
    version = folder / "1"
    version.mkdir()
    for name in _FILES:
        if (source / name).is_file():
            shutil.copyfile(source / name, version / name)
    (version / TEMPLATE).write_text(template, encoding="utf-8")
    (folder / "config.pbtxt").write_text(CONFIG, encoding="utf-8")
    manifest = EngineManifest(
        engine=ENGINE,
        capabilities=(),
        context_length=context_length,
        eos_token_ids=eos_ids(source),
        chat_template=TEMPLATE,
        tool_format=tool_format(template),
        reasoning_format=None,
        quantization="none",
        created=int(time.time()),
        source=ModelSource(repository=source.name, revision="local", files={}),
        options={},
    )
    write_manifest(version, manifest)


def _tried(version: Path) -> str:
    """Return what the backend makes of a conversation; AddingError says why it cannot."""
    prompt = ChatPrompt(({"role": "user", "content": "Hello!"},), (), {})
    try:
        model = open_model(version)
        encoded = model.preprocessor.encode(prompt)
    except LoadError as error:
        raise AddingError(f"The tokenizer cannot be served: {error}") from error
    except RequestError as error:
        raise AddingError(f"The chat template cannot be served: {error.message}") from error
    return model.tokenizer.decode(encoded.ids, has_special_tokens=True)
