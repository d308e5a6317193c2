"""From trained weights to what is shipped: Hugging Face files and an OpenVINO int8 engine."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import openvino as ov
import torch
from openvino_tokenizers import convert_tokenizer
from optimum.intel import OVModelForCausalLM, OVWeightQuantizationConfig
from tokenizers import Tokenizer
from transformers import GenerationConfig, PreTrainedTokenizerFast, Qwen2ForCausalLM

from scripts.demo.chat import CHAT_TEMPLATE, TEXT_END, TURN_END, TURN_START

WEIGHT_FILES: Final = (
    "config.json",
    "generation_config.json",
    "model.safetensors",
    "tokenizer.json",
    "tokenizer_config.json",
)
ENGINE_FILES: Final = (
    "openvino_model.xml",
    "openvino_model.bin",
    "openvino_tokenizer.xml",
    "openvino_tokenizer.bin",
    "openvino_detokenizer.xml",
    "openvino_detokenizer.bin",
)


def save_weights(model: Qwen2ForCausalLM, tokenizer: Tokenizer, folder: Path) -> None:
    """Write the model in bf16 and its tokenizer as Hugging Face reads them."""
    model.generation_config = GenerationConfig(
        eos_token_id=model.config.eos_token_id, pad_token_id=model.config.pad_token_id
    )
    model.to(torch.bfloat16).save_pretrained(folder)
    wrapped = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token=TURN_END,
        pad_token=TEXT_END,
        additional_special_tokens=[TURN_START, TURN_END],
        clean_up_tokenization_spaces=False,
        model_max_length=model.config.max_position_embeddings,
        chat_template=CHAT_TEMPLATE,
    )
    wrapped.save_pretrained(folder, save_jinja_files=False)
    (folder / "special_tokens_map.json").unlink(missing_ok=True)
    for path in folder.iterdir():
        path.chmod(0o644)


def compile_engine(weights: Path, folder: Path) -> None:
    """Compile the weights to an OpenVINO engine with 8-bit weights in the folder."""
    engine = OVModelForCausalLM.from_pretrained(
        weights,
        export=True,
        compile=False,
        quantization_config=OVWeightQuantizationConfig(bits=8),
    )
    engine.save_pretrained(folder)
    (folder / "openvino_config.json").unlink(missing_ok=True)  # names a folder of this machine
    tokenizer = PreTrainedTokenizerFast.from_pretrained(weights)
    to_ids, to_text = convert_tokenizer(tokenizer, with_detokenizer=True)
    ov.save_model(to_ids, folder / "openvino_tokenizer.xml")
    ov.save_model(to_text, folder / "openvino_detokenizer.xml")
    (folder / "tokenizer.json").write_bytes((weights / "tokenizer.json").read_bytes())
    (folder / "chat_template.jinja").write_text(CHAT_TEMPLATE, encoding="utf-8")


def reference_ids(weights: Path, prompts: Sequence[str], max_new_tokens: int) -> list[list[int]]:
    """Return the greedy tokens of the shipped bf16 weights, computed in fp32."""
    model = Qwen2ForCausalLM.from_pretrained(weights, dtype=torch.float32).eval()
    tokenizer = Tokenizer.from_file(str(weights / "tokenizer.json"))
    rows = []
    for text in prompts:
        ids = torch.tensor([tokenizer.encode(text).ids])
        mask = torch.ones_like(ids)
        out = model.generate(
            ids, attention_mask=mask, do_sample=False, max_new_tokens=max_new_tokens
        )
        rows.append(out[0, ids.shape[1] :].tolist())
    return rows


def hashes(folder: Path, names: Sequence[str]) -> dict[str, str]:
    """Return the SHA-256 of each named file, in hex."""
    return {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in names}


def write_json(path: Path, content: object) -> None:
    """Write readable JSON that ends in a line break."""
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
