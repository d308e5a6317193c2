"""What Triton and engines print becomes log entries; nothing is lost and nothing made up."""

import pytest

from scripts.launcher.entries import MAX_LINES, Entry, EntryReader

MODELS = {"demo", "gpucpu", "gpu"}
FAILED = (
    "E1122 20:26:10.263169 18046 model_lifecycle.cc:642] \"failed to load 'gpucpu' version 1: "
    'Internal: TritonModelException: gpucpu: it needs a GPU.\\n\\nAt:\\n  model.py(60)\\n"'
)


def entries(*lines: str, model: str | None = None) -> list[Entry]:
    """Return all entries of these lines, after which nothing comes."""
    reader = EntryReader(MODELS.__contains__, model)
    return [*(entry for line in lines for entry in reader.read(line)), *reader.settle()]


def test_a_line_of_triton_tells_its_level_its_place_and_its_model() -> None:
    (entry,) = entries(FAILED)

    assert (entry.level, entry.where, entry.model) == (
        "error", "model_lifecycle.cc:642", "gpucpu",
    )  # fmt: skip
    assert entry.text.startswith("failed to load 'gpucpu' version 1: Internal: TritonModel")
    assert entry.text.endswith("At:\n  model.py(60)")


@pytest.mark.parametrize(
    ("text", "model"),
    [
        ("loading: demo:1", "demo"),
        ("successfully loaded 'demo'", "demo"),
        ("TRITONBACKEND_ModelInstanceInitialize: demo_0_0 (CPU device 0)", "demo"),
        ("Stub process 'demo_0_0' is not healthy.", "demo"),
        ("load failed for model 'gpu': it is not there", "gpu"),
        ("load failed for model 'gpu': x;\\nload failed for model 'demo': y", None),
        ("loading: stranger:1", None),
        ("CudaDriverHelper has not been initialized.", None),
    ],
)
def test_a_model_is_named_where_exactly_one_that_there_is_was_meant(
    text: str, model: str | None
) -> None:
    (entry,) = entries(f'I1122 20:25:55.040404 18046 server.cc:241] "{text}"')

    assert entry.model == model


def test_a_line_of_our_backend_names_its_model_itself() -> None:
    (entry,) = entries('W1122 20:25:55.040404 9 model.py:130] "[model big one] it is slow"')

    assert entry == Entry("warning", "it is slow", "big one", "model.py:130")


def test_what_another_process_writes_behind_a_line_of_triton_is_an_entry_of_its_own() -> None:
    first, second = entries('W1122 20:25:55.040404 9 model.py:8] "[model demo] slow"  File "x.py"')

    assert (first.text, first.model) == ("slow", "demo")
    assert (second.text, second.where) == ('  File "x.py"', None)


def test_a_table_belongs_to_the_line_above_it() -> None:
    table = ["+---+", "| a |", "+---+", ""]
    first, second = entries(
        "I1122 14:49:41.019596 11276 server.cc:604] ", *table, 'I1122 14:49:41.1 1 x.cc:1] "y"'
    )

    assert (first.where, first.text) == ("server.cc:604", "+---+\n| a |\n+---+")
    assert second.text == "y"


TRACEBACK = [
    "Traceback (most recent call last):",
    '  File "engine.py", line 1, in step',
    "    run()",
    "ValueError: too long",
]


def test_a_traceback_is_one_entry_with_its_exception_as_text() -> None:
    (entry,) = entries(*TRACEBACK, model="demo")

    assert entry == Entry(
        "error", "ValueError: too long", "demo", exception="\n".join(TRACEBACK)
    )  # fmt: skip


def test_a_chain_of_tracebacks_is_one_entry() -> None:
    middle = ["", "During handling of the above exception, another exception occurred:", ""]
    last = [*TRACEBACK[:3], "RuntimeError: stopped"]

    (entry,) = entries(*TRACEBACK, *middle, *last)

    assert entry.text == "RuntimeError: stopped"
    assert entry.exception is not None
    assert len(entry.exception.splitlines()) == 11


def test_two_tracebacks_that_follow_on_each_other_are_two_entries() -> None:
    assert [entry.text for entry in entries(*TRACEBACK, *TRACEBACK)] == ["ValueError: too long"] * 2


def test_another_line_in_the_middle_of_a_traceback_ends_it_and_loses_nothing() -> None:
    found = entries(*TRACEBACK[:2], FAILED, *TRACEBACK[2:])

    assert [entry.level for entry in found] == ["error", "error", "info", "info"]
    assert found[0].exception == "\n".join(TRACEBACK[:2])
    assert [entry.text for entry in found[2:]] == ["    run()", "ValueError: too long"]


@pytest.mark.parametrize(
    ("line", "level"),
    [
        ("[TensorRT-LLM][WARNING] a key is missing", "warning"),
        ("[11/23/2026-00:30:00] [TRT-LLM] [E] out of memory", "error"),
        ("2026-11-22 10:00:00,123 ERROR worker: no", "error"),
        ("WARNING:root:old", "warning"),
        ("[INFO] ready", "info"),
        ("Fatal Python error: Aborted", "critical"),
        ("terminate called after throwing an instance of 'std::bad_alloc'", "critical"),
        ("Informational texts are no level", "info"),
        ("hello", "info"),
    ],
)
def test_any_other_line_has_the_level_that_it_names(line: str, level: str) -> None:
    assert entries(line, model="demo") == [Entry(level, line, "demo")]


def test_a_traceback_without_an_end_does_not_wait_for_ever() -> None:
    reader = EntryReader()
    reader.read(TRACEBACK[0])

    found = [entry for _ in range(MAX_LINES) for entry in reader.read("  deeper")]

    assert found[0].level == "error"
