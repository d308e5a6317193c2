"""TensorRT-LLM's exceptions as errors of ours; what they say goes to the log, not to the client."""

import re
from typing import Final

from ..errors import EngineFailed, InvalidRequest, Overloaded, RequestError
from ..guides import GUIDE_PARAM

_REFUSALS: Final = (ValueError, TypeError, AssertionError, IndexError)
_SHUTTING_DOWN: Final = "LLM is shutting down"
_TOO_LONG: Final = re.compile(
    r"(?i)(length|tokens|max_seq_len|max_input_len|max_num_tokens)\b.*\b(exceed|larger|longer|greater)"
)
_BAD_GUIDE: Final = re.compile(r"(?i)grammar|guide|schema|regex|xgrammar")


def refusal(error: Exception) -> RequestError | None:
    """What a failed submission means for its request alone; None when the engine is dead."""
    if isinstance(error, RequestError):
        return error
    if isinstance(error, _REFUSALS):
        return InvalidRequest("The engine refuses these parameters.", param=None)
    return None


def request_failure(error: Exception, *, has_guide: bool) -> RequestError:
    """What a RequestError of the library means: one request failed, the engine lives."""
    text = str(error)
    if _TOO_LONG.search(text):
        message = "The request is longer than the engine takes."
        return InvalidRequest(message, param=None, code="context_length_exceeded")
    if has_guide and _BAD_GUIDE.search(text):
        return InvalidRequest("The guide cannot be used by the engine.", param=GUIDE_PARAM)
    return EngineFailed()


def death(error: Exception | None) -> RequestError:
    """What the sequences are told of an engine that has died of this."""
    if error is not None and _SHUTTING_DOWN in str(error):
        return Overloaded("The engine is shutting down; try again later.")
    return EngineFailed()
