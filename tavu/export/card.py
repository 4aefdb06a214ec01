"""The model card of an exported model: what its file and run folder know of it, how to use it, and its limits."""

import json
from typing import Any, TypeGuard

from tavu.data.records import Request
from tavu.reports.wording import duration, scaled, showable
from tavu.run_folder import ENVIRONMENT, MODEL
from tavu.stored_model import StoredModel

_FRONT = """\
---
library_name: transformers
pipeline_tag: text-generation
tags:
- tavu
- byte-level
---
"""


def model_card(stored: StoredModel, repository: str) -> str:
    """The text of README.md, in the Markdown and YAML of the Hugging Face hub, for a model in this repository."""
    table = "\n".join(f"| {what} | {_cell(value)} |" for what, value in _facts(stored))
    return f"""\
{_FRONT}
# {stored.name}

A small language model that reads and writes bytes, trained with tavu.

| | |
|---|---|
{table}

## Use

With transformers 5, whose `trust_remote_code` runs the code in this repository:

```python
from transformers import AutoModelForCausalLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained("{repository}", trust_remote_code=True)
model = AutoModelForCausalLM.from_pretrained("{repository}", trust_remote_code=True)
inputs = tokenizer({json.dumps(_prompt(stored))}, return_tensors="pt")
print(tokenizer.decode(model.generate(**inputs, max_new_tokens=500)[0], skip_special_tokens=True))
```

With tavu, which reads `tavu.safetensors` and runs no code of this repository:

```sh
tavu generate hf:{repository} "Once upon a time"
```

The id of a byte is its value; END, 256, starts and ends a document. {_records(stored)}

## Limits

It has read nothing but the text above: it repeats the errors and opinions of that text, and invents facts. It was not tested for safety.
{_stored_words(stored)}
""".replace(" \n", "\n")


def _facts(stored: StoredModel) -> list[tuple[str, str | None]]:
    facts = stored.facts
    pairs = [
        ("Parameters", f"{stored.num_parameters:,}"),
        ("Design", "a patch for each word" if stored.config.patching == "words" else "MEGABYTE, fixed patches"),
        ("Context", f"{stored.config.max_seq_len - 1:,} bytes"),
        ("Weights", f"{facts['weight_bits']} bits in `tavu.safetensors`" if _is_number(facts.get("weight_bits")) else "bfloat16"),
        ("Bits per byte", _bits_per_byte(facts)),
        ("Training text", _text(facts)),
        ("Training", _training(facts)),
        ("Machine", _machine(stored)),
        ("Note", facts["note"] if isinstance(facts.get("note"), str) else None),
        ("License", "as the note says" if isinstance(facts.get("note"), str) else "not stated: add that of the training text and of the model"),
    ]
    return [(what, value) for what, value in pairs if value]


def _bits_per_byte(facts: dict[str, Any]) -> str | None:
    bits, error, size = (facts.get(name) for name in ("val_bpb", "val_standard_error", "val_bytes"))
    if not _is_number(bits):
        return None
    margin = f" ± {error:.4f}" if _is_number(error) else ""
    return f"{bits:.4f}{margin} on {f'{size:,} bytes of ' if _is_number(size) else ''}held-out text, before quantization if any"


def _text(facts: dict[str, Any]) -> str | None:
    sources = facts.get("sources")
    names = ", ".join(f"`{source}`" for source in sources) if isinstance(sources, list) else ""
    size, documents = facts.get("train_bytes"), facts.get("train_documents")
    parts = [names, f"{size:,} bytes" if _is_number(size) else "", f"{documents:,} documents" if _is_number(documents) else ""]
    return ", ".join(part for part in parts if part)


def _training(facts: dict[str, Any]) -> str:
    seconds, step, read = (facts.get(name) for name in ("seconds", "step", "bytes_seen"))
    parts = [duration(seconds) if _is_number(seconds) else "", f"{step:,} steps" if _is_number(step) else ""]
    return ", ".join(part for part in [*parts, f"{scaled(read, 'B')} read" if _is_number(read) else ""] if part)


def _machine(stored: StoredModel) -> str | None:
    """From the run folder, which the model file has left if it is alone."""
    path = stored.file.parent / ENVIRONMENT
    if stored.file.name != MODEL or not path.is_file():
        return None
    try:
        known = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    if not isinstance(known, dict):
        return None
    cores = f"{known['cores']} cores" if _is_number(known.get("cores")) else None
    return ", ".join(str(part) for part in (known.get("processor"), cores, known.get("device"), known.get("precision")) if part)


def _prompt(stored: StoredModel) -> str:
    if stored.records == "stories":
        return Request(words=("dog", "ball")).prompt() + "<|mark|>\n"
    return "How are you?<|mark|>\n" if stored.records == "prompts" else "Once upon a time"


def _records(stored: StoredModel) -> str:
    if stored.records == "chat":
        return "It answers in conversations: `tokenizer.apply_chat_template(messages, add_generation_prompt=True)` gives what it reads."
    if stored.records is None:
        return ""
    return "It was fine-tuned on prompts: the mark `<|mark|>` (255) and a line break end a prompt. Without them it continues the text."


def _stored_words(stored: StoredModel) -> str:
    words = getattr(stored.config, "lexicon_words", 0)
    return f"Its file holds up to {words:,} of the most common words of its training text in plain text." if words else ""


def _cell(text: str | None) -> str:
    return " ".join(showable(text or "").split()).replace("|", "\\|")


def _is_number(value: Any) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool)
