"""tavu export --to hf: a folder that transformers loads, code included.

The code stands alone: tavu_model.py has the definitions of tavu/model that both designs need, so that a model works where tavu is not installed, and
goes on working whatever becomes of tavu. The tokenizer needs no code: it is a byte-level BPE without merges, whose ids are the bytes.
Weights are stored as in the model file, bfloat16; quantized ones as float32, which holds them exactly.
"""

import dataclasses
import json
from pathlib import Path
from typing import Any

import torch

from tavu import __version__
from tavu.config import SamplingConfig
from tavu.data.records import ROLES
from tavu.export.card import model_card
from tavu.export.exported import Exported, new_folder, size_of
from tavu.export.one_module import one_module
from tavu.hub import PUBLISHED
from tavu.model.tensors import stored_name
from tavu.model_file import load_model
from tavu.stored_model import StoredModel, open_model
from tavu.tensor_file import write_tensors
from tavu.vocabulary import END, MARK_ID, NUM_BYTES, NUM_IDS

END_TOKEN, MARK_TOKEN = "<|endoftext|>", "<|mark|>"
_TEMPLATES = Path(__file__).with_name("templates") / "hf"
_CODE = (
    ("tavu.model.megabyte.model", "Megabyte"),
    ("tavu.model.words.model", "WordModel"),
    ("tavu.generation.decoder", "Decoder"),
    ("tavu.generation.text", "NEXT_STATE"),
    ("tavu.generation.text", "allowed_ids"),
)


def export_hf(model: Path, out: Path) -> Exported:
    """Write the folder `out`. Raises TavuError when it exists, cannot be written, or the model cannot be read."""
    stored = open_model(model)
    with new_folder(out) as folder:
        write_folder(stored, folder)
    return Exported(out, size_of(out), f'Load it: AutoModelForCausalLM.from_pretrained("{out}", trust_remote_code=True)')


def write_folder(stored: StoredModel, folder: Path, repository: str = "OWNER/NAME") -> None:
    """Write all files into a folder, with a card for a repository of this name."""
    (folder / PUBLISHED).write_bytes(stored.content.data)
    _write_weights(stored, folder / "model.safetensors")
    for path in sorted(_TEMPLATES.glob("*.py")):
        (folder / path.name).write_bytes(path.read_bytes())
    (folder / "tavu_model.py").write_text(one_module(*_CODE), encoding="utf-8")
    _write_json(folder / "config.json", _config(stored))
    _write_json(folder / "generation_config.json", _generation_config())
    _write_json(folder / "tokenizer.json", _tokenizer())
    _write_json(folder / "tokenizer_config.json", _tokenizer_config(stored))
    (folder / "README.md").write_text(model_card(stored, repository), encoding="utf-8")


def _write_weights(stored: StoredModel, path: Path) -> None:
    weights = {}
    for name, tensor in load_model(stored.file)[0].state_dict().items():
        is_bfloat16 = stored.tensors[stored_name(name)].dtype == "BF16"
        weights[f"network.{name}"] = tensor.to(torch.bfloat16) if is_bfloat16 else tensor
    write_tensors(path, weights, {"format": "pt"})


def _config(stored: StoredModel) -> dict[str, Any]:
    design, used = stored.config, stored.used_bytes
    coarsest = design.levels[0]
    return {
        "architectures": ["TavuForCausalLM"],
        "auto_map": {"AutoConfig": "configuration_tavu.TavuConfig", "AutoModelForCausalLM": "modeling_tavu.TavuForCausalLM"},
        "model_type": "tavu",
        "tavu_version": __version__,
        "design": dataclasses.asdict(design),
        "valid_utf8": stored.facts.get("kind") != "bytes",
        "used_bytes": sorted(used) if used is not None else None,
        "dtype": "float32",
        "vocab_size": NUM_IDS,
        "max_position_embeddings": design.max_seq_len - 1,
        "hidden_size": coarsest.dim,
        "num_hidden_layers": coarsest.num_layers,
        "num_attention_heads": coarsest.num_heads,
        "bos_token_id": END,
        "eos_token_id": END,
        "pad_token_id": END,
        "tie_word_embeddings": False,
    }


def _generation_config() -> dict[str, Any]:
    ids = {"bos_token_id": END, "eos_token_id": END, "pad_token_id": END}
    return ids | {"do_sample": True, "temperature": SamplingConfig.temperature, "top_k": 0, "max_new_tokens": SamplingConfig.max_bytes}


def _tokenizer() -> dict[str, Any]:
    """A tokenizer of the library tokenizers: each byte is a token. Byte 255, which no text has, is the mark that ends the prompt of a record."""
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": False, "use_regex": False}
    special = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    end = {"SpecialToken": {"id": END_TOKEN, "type_id": 0}}
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [{"id": MARK_ID, "content": MARK_TOKEN} | special, {"id": END, "content": END_TOKEN} | special],
        "normalizer": None,
        "pre_tokenizer": byte_level,
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [end, {"Sequence": {"id": "A", "type_id": 0}}],
            "pair": [end, {"Sequence": {"id": "A", "type_id": 0}}, end, {"Sequence": {"id": "B", "type_id": 0}}],
            "special_tokens": {END_TOKEN: {"id": END_TOKEN, "ids": [END], "tokens": [END_TOKEN]}},
        },
        "decoder": byte_level,
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": False,
            "byte_fallback": False,
            "ignore_merges": False,
            "vocab": {_byte_character(byte): byte for byte in range(NUM_BYTES - 1)} | {MARK_TOKEN: MARK_ID, END_TOKEN: END},
            "merges": [],
        },
    }


def _byte_character(byte: int) -> str:
    """The character that stands for a byte in byte-level tokenizers (GPT-2's bytes_to_unicode).

    >>> _byte_character(ord("a")), _byte_character(ord(" "))
    ('a', 'Ġ')
    """
    printable = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    return chr(byte if byte in printable else 256 + [other for other in range(NUM_BYTES) if other not in printable].index(byte))


def _tokenizer_config(stored: StoredModel) -> dict[str, Any]:
    config: dict[str, Any] = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": END_TOKEN,
        "eos_token": END_TOKEN,
        "pad_token": END_TOKEN,
        "model_max_length": stored.config.max_seq_len - 1,
        "model_input_names": ["input_ids", "attention_mask"],
        "padding_side": "left",
        "clean_up_tokenization_spaces": False,
    }
    return config | ({"chat_template": _chat_template()} if stored.records == "chat" else {})


def _chat_template() -> str:
    """Jinja for what reads.of_conversation gives."""
    roles = "".join(f"{'el' if i else ''}if message.role == '{role}' %}}{label}{{% " for i, (role, label) in enumerate(ROLES.items()))
    turn = f"{{% {roles}endif %}}: {{{{ message.content | trim }}}}\n"
    answer = f"{ROLES['assistant']}:{MARK_TOKEN}\n"
    return f"{{{{ bos_token }}}}{{% for message in messages %}}{turn}{{% endfor %}}{{% if add_generation_prompt %}}{answer}{{% endif %}}"


def _write_json(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
