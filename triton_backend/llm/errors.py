"""How a request or a model load can fail.

RequestError            answered to one client as JSON {"code","param","message"}
├── InvalidRequest      INVALID_ARG: the client must change the request
├── Overloaded          UNAVAILABLE: the same request may succeed later
└── EngineFailed        INTERNAL: nothing the client did
LoadError               the model does not load; one plain sentence for the operator
"""

# ruff: noqa: N818 - a failure is named for what went wrong; `Error` on each would say nothing more

import json
from typing import ClassVar, Literal

Status = Literal["INVALID_ARG", "UNAVAILABLE", "INTERNAL"]


class RequestError(Exception):
    """One request ends in an error; `code` is OpenAI's, `param` the tensor's name."""

    status: ClassVar[Status]

    def __init__(
        self, message: str, *, code: str, param: str | None = None, **counts: int | None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.param = param
        self.counts = counts

    def to_json(self) -> str:
        """The text Triton sends as the error's message."""
        body = {"code": self.code, "param": self.param, "message": self.message}
        return json.dumps(body | self.counts)


class InvalidRequest(RequestError):
    """The request cannot be served as it is."""

    status = "INVALID_ARG"

    def __init__(
        self,
        message: str,
        *,
        param: str | None,
        code: str = "invalid_value",
        **counts: int | None,
    ) -> None:
        super().__init__(message, code=code, param=param, **counts)


class Overloaded(RequestError):
    """Too much is asked at once."""

    status = "UNAVAILABLE"

    def __init__(self, message: str) -> None:
        super().__init__(message, code="overloaded")


class EngineFailed(RequestError):
    """The engine failed or is gone; details are in the log, not in the answer."""

    status = "INTERNAL"

    def __init__(self, message: str = "The engine failed while it ran this request.") -> None:
        super().__init__(message, code="engine_failure")


class LoadError(Exception):
    """A model folder cannot be served; the message is one sentence."""
