"""Chat templates: what Hugging Face templates expect, inside bounds."""

from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from triton_backend.llm.chat_template import MAX_RENDER_S, ChatTemplate, open_chat_template
from triton_backend.llm.errors import InvalidRequest, LoadError
from triton_backend.llm.json_values import JsonObject

HELLO: list[JsonObject] = [{"role": "user", "content": "<Hi> & \u00e9"}]
CHATML = (
    "{%- for message in messages -%}\n"
    "{{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>\\n' -}}\n"
    "{%- endfor -%}\n"
    "{%- if add_generation_prompt -%}{{- '<|im_start|>assistant\\n' -}}{%- endif -%}"
)


def ticking_clock(step_s: float) -> Iterator[float]:
    return (tick * step_s for tick in count())


def test_messages_are_rendered_without_escaping() -> None:
    prompt = ChatTemplate(CHATML).render(HELLO)

    assert prompt == "<|im_start|>user\n<Hi> & \u00e9<|im_end|>\n<|im_start|>assistant\n"


def test_template_kwargs_reach_the_template() -> None:
    template = ChatTemplate("{{ 'quiet' if not enable_thinking else 'loud' }}{{ tools }}")

    assert template.render(HELLO, (), {"enable_thinking": False}) == "quietNone"


def test_tools_are_printed_as_json_for_models_and_not_for_html() -> None:
    template = ChatTemplate("{% for tool in tools %}{{ tool | tojson }}{% endfor %}")

    assert template.render(HELLO, [{"name": "<\u00e9t\u00e9>"}]) == '{"name": "<\u00e9t\u00e9>"}'


def test_a_template_that_raises_refuses_the_messages_in_its_own_words() -> None:
    template = ChatTemplate("{{ raise_exception('roles must alternate') }}")

    with pytest.raises(InvalidRequest, match="roles must alternate") as caught:
        template.render(HELLO)

    assert caught.value.param == "messages"


@pytest.mark.parametrize(
    "source",
    [
        "{{ messages[0].content.nope.nope }}",
        "{{ messages[0].content + 1 }}",
        "{{ messages.__class__.__mro__ }}",
        "{{ ''.__class__.__base__.__subclasses__() }}",
        "{{ messages.append(1) }}",
        "{{ 'a' * 100000000000 }}",
        "{{ 9 ** 99999999 }}",
        "{% macro again() %}{{ again() }}{% endmacro %}{{ again() }}",
        "{% for i in range(100000) %}{{ 'a' * 60000 }}{% endfor %}",
    ],
)
def test_a_template_that_goes_wrong_is_a_refused_request(source: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        ChatTemplate(source).render(HELLO)

    assert caught.value.param == "messages"


def test_a_template_that_runs_too_long_is_stopped() -> None:
    clock = ticking_clock(MAX_RENDER_S / 100)
    loop = "{% for i in range(1000) %}{% if messages[0].role == 'x' %}{% endif %}{% endfor %}"
    template = ChatTemplate(loop, clock=lambda: next(clock))

    with pytest.raises(InvalidRequest, match="ran longer"):
        template.render(HELLO)


@pytest.mark.parametrize("name", ["messages", "tools"])
def test_template_kwargs_may_not_replace_the_conversation(name: str) -> None:
    with pytest.raises(InvalidRequest, match=name) as caught:
        ChatTemplate(CHATML).render(HELLO, (), {name: []})

    assert caught.value.param == "chat_template_kwargs"


def test_hugging_face_names_are_there() -> None:
    template = ChatTemplate(
        "{{ bos_token }}{% generation %}{{ strftime_now('%Y') | length }}{% endgeneration %}"
        "{% for m in messages %}{% break %}{% endfor %}",
        {"bos_token": "<s>"},
    )

    assert template.render(HELLO) == "<s>4"


def test_a_model_without_a_template_has_none(tmp_path: Path) -> None:
    assert open_chat_template(tmp_path, None) is None


def test_special_tokens_come_from_the_tokenizer_config(tmp_path: Path) -> None:
    (tmp_path / "chat.jinja").write_text("{{ bos_token }}{{ eos_token }}", encoding="utf-8")
    config = '{"bos_token": {"content": "<s>"}, "eos_token": "</s>", "pad_token": null}'
    (tmp_path / "tokenizer_config.json").write_text(config, encoding="utf-8")

    template = open_chat_template(tmp_path, "chat.jinja")

    assert template is not None
    assert template.render(HELLO) == "<s></s>"


@pytest.mark.parametrize("source", [None, "{% for %}"])
def test_a_missing_or_broken_template_refuses_the_model(tmp_path: Path, source: str | None) -> None:
    folder = tmp_path / "mine" / "1"
    folder.mkdir(parents=True)
    if source is not None:
        (folder / "chat.jinja").write_text(source, encoding="utf-8")

    with pytest.raises(LoadError, match=r"^mine: chat\.jinja"):
        open_chat_template(folder, "chat.jinja")
