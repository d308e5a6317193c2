"""Where a model comes from: found on this machine, or fetched from Hugging Face."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from huggingface_hub import hf_hub_download, snapshot_download
from huggingface_hub.errors import (
    EntryNotFoundError,
    GatedRepoError,
    HfHubHTTPError,
    LocalEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from scripts.adding.errors import AddingError

Kind = Literal["checkpoint", "gguf", "openvino"]

_HUB_MODEL: Final = re.compile(r"[\w.-]+/[\w.-]+")
_HUB_FILE: Final = re.compile(r"([\w.-]+/[\w.-]+)/([\w./-]+\.gguf)", re.IGNORECASE)
# What a checkpoint needs; pickled weights can run code and are not fetched.
_WANTED: Final = ["*.json", "*.safetensors", "*.jinja", "*.model", "merges.txt", "vocab.txt"]
_OPENVINO_MODEL: Final = "openvino_model.xml"


@dataclass(frozen=True)
class Source:
    """A model on this machine; `path` is a file for gguf, else a folder.

    repository, revision: what engine.json says of where it came from.
    """

    kind: Kind
    path: Path
    repository: str
    revision: str


def locate(text: str, revision: str | None, *, is_offline: bool) -> Source:
    """Return the source that was named, fetched if it is on the hub; AddingError if there is none.

    A fetch that was broken off goes on where it stopped.
    """
    path = Path(text).expanduser()
    if path.exists():
        if revision:
            raise AddingError("--revision is for models on Hugging Face; this one is here.", 2)
        return _local(path.resolve(), path.resolve().name, "local")
    if found := _HUB_FILE.fullmatch(text):
        return _fetched_file(found[1], found[2], revision, is_offline=is_offline)
    if _HUB_MODEL.fullmatch(text):
        return _fetched_folder(text, revision, is_offline=is_offline)
    raise AddingError(f"There is no file or folder {text!r}, and it is no owner/model either.", 2)


def _local(path: Path, repository: str, revision: str) -> Source:
    if path.is_file():
        if path.suffix.lower() != ".gguf":
            raise AddingError(f"{path.name} is no .gguf file.", 2)
        return Source("gguf", path, repository, revision)
    if (path / _OPENVINO_MODEL).is_file():
        return Source("openvino", path, repository, revision)
    if (path / "config.json").is_file():
        return Source("checkpoint", path, repository, revision)
    files = sorted(path.glob("*.gguf"))
    if len(files) == 1:
        return Source("gguf", files[0], repository, revision)
    if files:
        raise AddingError(f"{path.name} has {len(files)} .gguf files: name one of them.", 2)
    raise AddingError(f"{path.name} has neither config.json nor {_OPENVINO_MODEL}: no model.", 2)


def _fetched_folder(repository: str, revision: str | None, *, is_offline: bool) -> Source:
    try:
        folder = snapshot_download(
            repository, revision=revision, allow_patterns=_WANTED, local_files_only=is_offline
        )
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        raise _cannot_fetch(repository, revision, error) from error
    # The hub's cache names the folder after the commit.
    return _local(Path(folder), repository, Path(folder).name)


def _fetched_file(repository: str, name: str, revision: str | None, *, is_offline: bool) -> Source:
    try:
        path = hf_hub_download(repository, name, revision=revision, local_files_only=is_offline)
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        raise _cannot_fetch(repository, revision, error) from error
    commit = next((part.name for part in Path(path).parents if _is_commit(part)), "unknown")
    return Source("gguf", Path(path), repository, commit)


def _is_commit(folder: Path) -> bool:
    return folder.parent.name == "snapshots"


def _cannot_fetch(repository: str, revision: str | None, error: Exception) -> AddingError:
    match error:
        case GatedRepoError():
            reason = "its owner must grant you access first, then set HF_TOKEN"
        case RevisionNotFoundError():
            reason = f"it has no revision {revision!r}"
        case RepositoryNotFoundError():
            reason = "there is no such model, or it is private and HF_TOKEN is not set"
        case LocalEntryNotFoundError():
            reason = "it was not fetched before, and the hub cannot be reached"
        case EntryNotFoundError():
            reason = "it has no such file"
        case OSError() if error.errno is not None:
            reason = error.strerror or "the disk refused it"
        case _:
            reason = "the hub does not answer as it should; try again"
    return AddingError(f"{repository} cannot be fetched: {reason}.")
