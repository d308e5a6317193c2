"""The Triton shell: tensors in, tensors out; the only module that knows pb_utils.

Installed as `<backends>/llm/model.py`, where Triton's Python backend imports it as a plain
module; the package around it is found through its folder.
"""

import json
import logging
import os
import sys
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import triton_python_backend_utils as pb_utils

sys.path.append(str(Path(__file__).parent.parent))
__package__ = Path(__file__).parent.name

from .contract import INPUTS, OUTPUTS
from .errors import LoadError, RequestError
from .metrics import EngineMetrics, Kind, Metric
from .output import name_output
from .parameters import read_parameters
from .reply import Reply, write_reply
from .service import Service, open_model

CLOSE_TIMEOUT_S: Final = 4.0
# A thread that wants the interpreter waits this long for the one that has it. With Python's
# 5 ms the engine's thread loses a whole step of a small model to each response being built.
SWITCH_INTERVAL_S: Final = 0.0005
_CONFIG_TYPES: Final = {"BYTES": "TYPE_STRING"}


class TritonPythonModel:
    """One instance of one served model."""

    @staticmethod
    def auto_complete_config(config: Any) -> Any:
        """Add the contract's tensors to a config.pbtxt that names only the backend."""
        config.set_max_batch_size(1)
        config.set_model_transaction_policy({"decoupled": True})
        for name, (datatype, dims) in INPUTS.items():
            config.add_input(_config_entry(name, datatype, dims) | {"optional": True})
        for name, (datatype, dims) in OUTPUTS.items():
            config.add_output(_config_entry(name, datatype, dims))
        return config

    def initialize(self, args: Mapping[str, str]) -> None:
        """Load the version folder, or refuse with one sentence."""
        name_output(args["model_name"], os.environ)
        _log_to_triton(args["model_name"])
        sys.setswitchinterval(SWITCH_INTERVAL_S)
        folder = Path(args["model_repository"]) / args["model_version"]
        texts = json.loads(args["model_config"]).get("parameters", {})
        labels = {"model": args["model_name"], "version": args["model_version"]}
        try:
            parameters = read_parameters(
                {name: value["string_value"] for name, value in texts.items()}
            )
            model = open_model(folder)
        except LoadError as error:
            raise pb_utils.TritonModelException(str(error)) from None
        # Kept, since Triton's metrics end with their families, which the maker holds.
        self._metric_maker = _MetricMaker(labels)
        metrics = EngineMetrics(self._metric_maker)
        self._service = Service(model, parameters.max_waiting, metrics.update)

    def execute(self, requests: Sequence[Any]) -> None:
        """Hand each request over; all answers go through its response sender."""
        for request in requests:
            tensors = {tensor.name(): tensor.as_numpy() for tensor in request.inputs()}
            wanted = frozenset(request.requested_output_names())
            stream = _ResponseStream(request.get_response_sender(), wanted)
            self._service.accept(tensors, wanted, stream)

    def finalize(self) -> None:
        """Cancel what runs and stop all threads."""
        self._service.close(CLOSE_TIMEOUT_S)


class _ResponseStream:
    """A response sender of Triton as the service sees it."""

    def __init__(self, sender: Any, wanted: Collection[str]) -> None:
        self._sender = sender
        self._wanted = wanted

    def send(self, reply: Reply, *, is_final: bool) -> None:
        """Send a response with the wanted outputs."""
        arrays = write_reply(reply, self._wanted)
        tensors = [pb_utils.Tensor(name, array) for name, array in arrays.items()]
        flags = pb_utils.TRITONSERVER_RESPONSE_COMPLETE_FINAL if is_final else 0
        self._sender.send(pb_utils.InferenceResponse(tensors), flags=flags)

    def fail(self, error: RequestError) -> None:
        """Send an error and close."""
        code = getattr(pb_utils.TritonError, error.status)
        response = pb_utils.InferenceResponse(error=pb_utils.TritonError(error.to_json(), code))
        self._sender.send(response, flags=pb_utils.TRITONSERVER_RESPONSE_COMPLETE_FINAL)

    def is_cancelled(self) -> bool:
        """Whether the client has gone."""
        return bool(self._sender.is_cancelled())

    def release(self) -> None:
        """Let the sender go now, not when Python's garbage collector comes round."""
        self._sender = None


class _MetricMaker:
    """Makes Triton metrics and keeps their families, which must live as long."""

    def __init__(self, labels: Mapping[str, str]) -> None:
        self._labels = labels
        self._families: list[Any] = []

    def __call__(self, name: str, description: str, kind: Kind) -> Metric:
        family = pb_utils.MetricFamily(
            name=name, description=description, kind=getattr(pb_utils.MetricFamily, kind.upper())
        )
        self._families.append(family)
        metric: Metric = family.Metric(labels=self._labels)
        return metric


class _TritonLogHandler(logging.Handler):
    """Puts our log lines into Triton's log."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record."""
        write = {"WARNING": pb_utils.Logger.log_warn, "INFO": pb_utils.Logger.log_info}
        write.get(record.levelname, pb_utils.Logger.log_error)(self.format(record))


def _log_to_triton(model: str) -> None:
    logger = logging.getLogger(__package__)
    logger.setLevel(logging.INFO)
    handler = _TritonLogHandler()
    handler.setFormatter(logging.Formatter(f"[model {model}] %(message)s"))
    logger.handlers = [handler]
    logger.propagate = False


def _config_entry(name: str, datatype: str, dims: Sequence[int]) -> dict[str, Any]:
    kind = _CONFIG_TYPES.get(datatype, f"TYPE_{datatype}")
    return {"name": name, "data_type": kind, "dims": list(dims)}
