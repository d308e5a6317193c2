"""The tensor contract is the only tie between backend and frontend: both sides' tables agree."""

from frontend_api.adapters import triton_contract as frontend
from triton_backend.llm import contract as backend


def test_frontend_sends_exactly_the_inputs_the_backend_declares() -> None:
    assert frontend.INPUTS == backend.INPUTS


def test_frontend_reads_exactly_the_outputs_the_backend_declares() -> None:
    assert frontend.OUTPUTS == backend.OUTPUTS
