"""The models as one caller may ask for them: by their names, or by those the operator gave them.

An adapter of a model is a model, too: `base:adapter`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from typing import Final

from frontend_api.domain.errors import BackendLost, ModelNotFound
from frontend_api.domain.model import ServedModel
from frontend_api.ports import ModelCatalogue, Readiness
from frontend_api.service.callers import current_caller
from frontend_api.service.model_loading import ModelLoading

_COLON: Final = ":"


class ServedModels:
    """The catalogue behind names and permissions: the other models are as if they were not there.

    A key may use a model that its list has by either name. An adapter is a model of its own there.
    """

    def __init__(
        self,
        catalogue: ModelCatalogue,
        loading: ModelLoading,
        aliases: Mapping[str, str],
        default: str = "",
    ) -> None:
        """Use these; aliases: other names of models; default: by any name, the first in lists."""
        self._catalogue = catalogue
        self._loading = loading
        self._aliases = aliases
        self._default = aliases.get(default, default)

    def listed(self) -> Sequence[ServedModel]:
        """Return the caller's models: the default, others as catalogued, their other names."""
        told = map(self._loading.told, self._catalogue.listed())
        by_name = {model.name: model for model in _with_adapters(told)}
        own = [model for model in by_name.values() if _may_use(model.name)]
        own.sort(key=lambda model: model.name != self._default)
        return own + [
            replace(by_name[real], name=alias, alias_of=real)
            for alias, real in sorted(self._aliases.items())
            if real in by_name and alias not in by_name and _may_use(alias, real)
        ]

    def served(self, name: str) -> ServedModel:
        """Return the model, under its own name, if a request for it may be begun.

        Of an adapter that is its base. Raises ModelNotFound, ModelNotReady or BackendLost.
        """
        return self._loading.served(self._run(name))

    async def described(self, name: str) -> ServedModel:
        """Return the model as `served` does, loaded once if it has never been; an adapter as such.

        Raises ModelNotFound, too, for an adapter that its base does not have.
        """
        model = await self._loading.described(self._run(name))
        if self._run(name) != model.name:
            return self.served(name)  # it has told now that it has no such adapter
        adapter = self.adapter(name)
        return model if adapter is None else _adapted(model, adapter)

    def kept(self, name: str) -> AbstractAsyncContextManager[ServedModel]:
        """Load it if need be, and keep it loaded until the block ends."""
        return self._loading.kept(self._run(name))

    def adapter(self, name: str) -> str | None:
        """Return the adapter that a name stands for; None for a model without one."""
        return self._parts(self._aliases.get(name, name))[1]

    def stop(self) -> None:
        """Load nothing more; who waits for a load is told that the server shuts down."""
        self._loading.stop()

    def readiness(self) -> Readiness:
        """Return whether at least one model can answer anybody."""
        return self._catalogue.readiness()

    def _run(self, name: str) -> str:
        """Return which model runs; what may not be used is refused before it is looked for."""
        real = self._aliases.get(name, name)
        if not _may_use(name, real):
            raise ModelNotFound(
                f"The model `{name}` does not exist or you do not have access to it."
            )
        return self._parts(real)[0]

    def _parts(self, name: str) -> tuple[str, str | None]:
        """Return the model that runs and its adapter; what is unknown is left as it is.

        A model that was never loaded may have any adapter: it tells when it is.
        """
        base, colon, adapter = name.rpartition(_COLON)
        if not colon or self._known(name) is not None:
            return name, None
        model = self._known(base)
        if model is None or (model.is_described and adapter not in model.lora_names):
            return name, None
        return base, adapter

    def _known(self, name: str) -> ServedModel | None:
        try:
            return self._catalogue.find(name)
        except (ModelNotFound, BackendLost):
            return None


def _with_adapters(models: Iterable[ServedModel]) -> Iterable[ServedModel]:
    for model in models:
        yield model
        for adapter in model.lora_names:
            yield _adapted(model, adapter)


def _adapted(model: ServedModel, adapter: str) -> ServedModel:
    return replace(model, name=f"{model.name}{_COLON}{adapter}", base=model.name, lora_names=())


def _may_use(*names: str) -> bool:
    models = current_caller().models
    return models is None or any(name in models for name in names)
