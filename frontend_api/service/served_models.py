"""The models as one caller may ask for them: by their names, or by those the operator gave them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import replace

from frontend_api.domain.errors import ModelNotFound
from frontend_api.domain.model import ServedModel
from frontend_api.ports import ModelCatalogue, Readiness
from frontend_api.service.callers import current_caller
from frontend_api.service.model_loading import ModelLoading


class ServedModels:
    """The catalogue behind names and permissions: the other models are as if they were not there.

    A key may use a model that its list has by either name.
    """

    def __init__(
        self, catalogue: ModelCatalogue, loading: ModelLoading, aliases: Mapping[str, str]
    ) -> None:
        """Use these; aliases: other names of models."""
        self._catalogue = catalogue
        self._loading = loading
        self._aliases = aliases

    def listed(self) -> Sequence[ServedModel]:
        """Return the caller's models as the catalogue orders them, then their other names."""
        models = self._catalogue.listed()
        own = [model for model in models if _may_use(model.name)]
        by_name = {model.name: model for model in models}
        return own + [
            replace(by_name[real], name=alias, alias_of=real)
            for alias, real in sorted(self._aliases.items())
            if real in by_name and alias not in by_name and _may_use(alias, real)
        ]

    def served(self, name: str) -> ServedModel:
        """Return the model, under its own name, if a request for it may be begun.

        Raises ModelNotFound, ModelNotReady or BackendLost.
        """
        return self._loading.served(self._real(name))

    async def described(self, name: str) -> ServedModel:
        """Return the model as `served` does, loaded once if it has never been."""
        return await self._loading.described(self._real(name))

    def kept(self, name: str) -> AbstractAsyncContextManager[ServedModel]:
        """Load it if need be, and keep it loaded until the block ends."""
        return self._loading.kept(self._real(name))

    def readiness(self) -> Readiness:
        """Return whether at least one model can answer anybody."""
        return self._catalogue.readiness()

    def _real(self, name: str) -> str:
        """Return whose name it is; what may not be used is refused before it is looked for."""
        real = self._aliases.get(name, name)
        if not _may_use(name, real):
            raise ModelNotFound(
                f"The model `{name}` does not exist or you do not have access to it."
            )
        return real


def _may_use(*names: str) -> bool:
    models = current_caller().models
    return models is None or any(name in models for name in names)
