"""tavu export --to hf: what transformers loads gives tavu's logits and writes tavu's text, and the code of the folder needs no tavu."""

import json
import os
import re
import subprocess
import sys

import pytest
import torch
import torch.nn.functional as F

pytest.importorskip("transformers", reason="transformers is not installed")
pytest.importorskip("accelerate", reason="accelerate is not installed")

import transformers

from tavu.config import SamplingConfig
from tavu.export.hf import export_hf
from tavu.generation import reads
from tavu.generation.decoder import TorchWriter
from tavu.generation.writing import write
from tavu.model_file import load_model, save_model
from tavu.stored_model import open_model
from tavu.vocabulary import END, MARK_ID
from tests.conftest import CONFIGS, CONTEXT, TEXT, noisy_model
from tests.export.conftest import FORMAT

MODELS = ["fixed-2-levels-8-bits", "fixed-3-levels", "fixed-convolutions", "words-all-parts", "words-all-parts-4-bits"]
LONGEST = CONTEXT - 1
pytestmark = [
    pytest.mark.slow,  # transformers take long to import
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning", "ignore::ResourceWarning"),
]


@pytest.fixture(scope="module", autouse=True)
def offline(tmp_path_factory):
    """transformers copies code into a cache of its own, and asks nothing of any network."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("transformers.dynamic_module_utils.HF_MODULES_CACHE", str(tmp_path_factory.mktemp("modules")))
        patch.setenv("HF_HUB_OFFLINE", "1")
        yield


class Exported:
    def __init__(self, file, folder):
        self.file, self.folder = file, export_hf(file, folder).out
        self.network = load_model(file)[0]
        self.model = transformers.AutoModelForCausalLM.from_pretrained(self.folder, trust_remote_code=True)
        self.tokenizer = transformers.AutoTokenizer.from_pretrained(self.folder, trust_remote_code=True)
        self.longest = self.network.config.max_seq_len - 1


@pytest.fixture(scope="module", params=MODELS)
def exported(request, tmp_path_factory):
    return Exported(FORMAT / f"{request.param}.safetensors", tmp_path_factory.mktemp("hf") / "model")


@pytest.fixture(scope="module", params=["conv, cross, three levels", "words"])
def noisy(request, tmp_path_factory):
    """A model of each design whose every part matters."""
    folder = tmp_path_factory.mktemp("noisy")
    save_model(folder / "a.safetensors", noisy_model(CONFIGS[request.param]), {"kind": "text"})
    return Exported(folder / "a.safetensors", folder / "model")


def of_tavu(network, ids: torch.Tensor) -> torch.Tensor:
    """Logits of the id after each position."""
    with torch.inference_mode():
        return network(F.pad(ids, (0, 1), value=END))[:, 1:]


def test_logits_are_those_of_tavu(exported, make_ids):
    ids = make_ids(3, exported.longest)
    with torch.inference_mode():
        assert torch.allclose(exported.model(ids).logits, of_tavu(exported.network, ids), atol=1e-5)


def test_logits_of_models_whose_every_part_matters(noisy, make_ids):
    ids = make_ids(3, LONGEST)
    with torch.inference_mode():
        logits = noisy.model(ids).logits
    assert logits.std() > 0.5 and torch.allclose(logits, of_tavu(noisy.network, ids), atol=1e-4)


def test_greedy_text_is_that_of_tavu(exported):
    for prompt in ("Once upon a time", "Hyvää yötä"):
        expected = write(TorchWriter(exported.network), prompt.encode(), SamplingConfig(0, max_bytes=40, used_bytes=used(exported)))[0]
        inputs = exported.tokenizer(prompt, return_tensors="pt")
        for use_cache in (True, False):
            room = exported.longest - inputs.input_ids.size(1)
            written = exported.model.generate(**inputs, do_sample=False, max_new_tokens=40 if use_cache else min(12, room), use_cache=use_cache)
            text = bytes(id for id in written[0, inputs.input_ids.size(1) :].tolist() if id != END)
            assert text == expected.content[: len(text)] and (len(text) == len(expected.content) or not use_cache), prompt


def used(exported) -> frozenset[int] | None:
    return open_model(exported.file).used_bytes


def test_decoding_goes_past_the_context_as_tavu_does(noisy):
    expected = write(TorchWriter(noisy.network), b"Mia had", SamplingConfig(0, max_bytes=2 * CONTEXT))[0].content
    inputs = noisy.tokenizer("Mia had", return_tensors="pt")
    written = noisy.model.generate(**inputs, do_sample=False, max_new_tokens=2 * CONTEXT)[0, inputs.input_ids.size(1) :]
    text = bytes(id for id in written.tolist() if id != END)
    assert text == expected and len(text) > 8


def test_rows_behind_padding_are_as_they_are_alone(noisy):
    prompts = ["Once upon a time", "Mia", "The red ball was", "Mia"]
    padded = noisy.tokenizer(prompts, return_tensors="pt", padding=True)
    with torch.inference_mode():
        logits = noisy.model(**padded).logits
        right = noisy.tokenizer(prompts, return_tensors="pt", padding=True, padding_side="right")
        behind = noisy.model(**right).logits
    written = noisy.model.generate(**padded, do_sample=False, max_new_tokens=24)[:, padded.input_ids.size(1) :]
    for row, prompt in enumerate(prompts):
        alone = noisy.tokenizer(prompt, return_tensors="pt")
        num = alone.input_ids.size(1)
        with torch.inference_mode():
            expected = noisy.model(**alone).logits[0]
        assert torch.allclose(logits[row, -num:], expected, atol=1e-5) and torch.allclose(behind[row, :num], expected, atol=1e-5)
        text = noisy.model.generate(**alone, do_sample=False, max_new_tokens=24)[0, num:]
        assert torch.equal(written[row, : len(text)], text) and set(written[row, len(text) :].tolist()) <= {END}


def test_beams_with_the_cache_are_those_without(noisy):
    inputs = noisy.tokenizer(["Once upon", "Mia"], return_tensors="pt", padding=True)
    with_cache, without = (noisy.model.generate(**inputs, do_sample=False, num_beams=3, max_new_tokens=12, use_cache=each) for each in (True, False))
    assert torch.equal(with_cache, without)


def test_what_a_mask_or_length_cannot_say_is_refused(noisy):
    ids = torch.tensor([[END, *b"Once upon"]])
    gap, right = torch.ones_like(ids), torch.ones_like(ids)
    gap[0, 3], right[0, -1] = 0, 0
    with pytest.raises(ValueError, match="has zeros between ones"):
        noisy.model(ids, attention_mask=gap)
    with pytest.raises(ValueError, match=r"has shape \(1, 2\), expected that of input_ids, \(1, 10\)"):
        noisy.model(ids, attention_mask=torch.ones(1, 2))
    with pytest.raises(ValueError, match="Pad on the left"):
        noisy.model.generate(ids, attention_mask=right, max_new_tokens=2)
    with pytest.raises(ValueError, match=f"input_ids have {CONTEXT} positions, expected at most {LONGEST}"):
        noisy.model(torch.zeros(1, CONTEXT, dtype=torch.long))
    with pytest.raises(ValueError, match="all zeros"):
        noisy.model.generate(ids, attention_mask=torch.zeros_like(ids), max_new_tokens=2)


def test_a_saved_copy_is_the_same(noisy, tmp_path, make_ids):
    noisy.model.save_pretrained(tmp_path / "copy")
    noisy.tokenizer.save_pretrained(tmp_path / "copy")
    copy = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "copy", trust_remote_code=True)
    ids = make_ids(2, 20)
    with torch.inference_mode():
        assert torch.equal(copy(ids).logits, noisy.model(ids).logits)
    assert transformers.AutoTokenizer.from_pretrained(tmp_path / "copy", trust_remote_code=True)("yö").input_ids == [END, *"yö".encode()]


def test_every_weight_is_loaded_and_none_is_new(noisy):
    _, info = transformers.AutoModelForCausalLM.from_pretrained(noisy.folder, trust_remote_code=True, output_loading_info=True)
    assert not info["missing_keys"] and not info["unexpected_keys"] and not info["mismatched_keys"]
    for name, tensor in noisy.network.state_dict().items():
        assert torch.equal(noisy.model.state_dict()[f"network.{name}"], tensor), name


def test_the_tokenizer_gives_bytes(noisy):
    text = "".join(map(chr, range(0x20, 0x180))) + "\0\t\n 日本語 🐻"
    tokenizer = noisy.tokenizer
    assert tokenizer(text).input_ids == [END, *text.encode()] and tokenizer(text, add_special_tokens=False).input_ids == [*text.encode()]
    assert tokenizer.decode([END, *text.encode(), END], skip_special_tokens=True) == text
    assert tokenizer("a<|mark|>\n<|endoftext|>", add_special_tokens=False).input_ids == [ord("a"), MARK_ID, ord("\n"), END]
    assert tokenizer.decode(b"\xe4a") == "�a"
    assert len(tokenizer) == tokenizer.vocab_size == noisy.model.config.vocab_size == 257
    assert (tokenizer.bos_token_id, tokenizer.eos_token_id, tokenizer.pad_token_id) == (END, END, END)


def test_conversations_are_read_as_tavu_reads_them(make_model, tmp_path):
    save_model(tmp_path / "a", make_model(CONFIGS["words"]), {"records": "chat"})
    tokenizer = transformers.AutoTokenizer.from_pretrained(export_hf(tmp_path / "a", tmp_path / "model").out, trust_remote_code=True)
    turns = [("system", "Be kind. "), ("user", "Hello!"), ("assistant", "Yes?"), ("user", "Who\nare you?")]
    messages = [{"role": role, "content": content} for role, content in turns]
    ids = tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_dict=False)
    assert ids == [END, *reads.of_conversation(messages)]


def test_trainer_teaches_it(noisy, tmp_path):
    texts = [TEXT[start : start + 30].decode(errors="ignore") for start in range(0, 90, 10)]
    rows = [noisy.tokenizer(text + "<|endoftext|>") for text in texts]
    data = [{"input_ids": row.input_ids, "attention_mask": row.attention_mask, "labels": row.input_ids} for row in rows]
    model = transformers.AutoModelForCausalLM.from_pretrained(noisy.folder, trust_remote_code=True)
    options = transformers.TrainingArguments(
        tmp_path, max_steps=12, per_device_train_batch_size=4, learning_rate=0.01, report_to=[], save_strategy="no", disable_tqdm=True, use_cpu=True
    )
    collator = transformers.DataCollatorForSeq2Seq(noisy.tokenizer)
    trainer = transformers.Trainer(model, options, train_dataset=data, eval_dataset=data, data_collator=collator)
    before = trainer.evaluate()["eval_loss"]
    trainer.train()
    assert trainer.evaluate()["eval_loss"] < before - 0.2


def test_the_loss_is_the_mean_of_what_counts(noisy, make_ids):
    ids = make_ids(2, 20)
    labels = ids.clone()
    labels[:, :5] = -100
    with torch.inference_mode():
        loss = noisy.model(ids, labels=labels).loss
        expected = F.cross_entropy(of_tavu(noisy.network, ids)[:, 4:-1].flatten(0, 1), ids[:, 5:].flatten())
    assert torch.allclose(loss, expected)


@pytest.fixture(scope="module")
def words(tmp_path_factory):
    folder = tmp_path_factory.mktemp("words")
    save_model(folder / "a.safetensors", noisy_model(CONFIGS["words"]), {"kind": "text"})
    return Exported(folder / "a.safetensors", folder / "model")


def test_the_code_needs_no_tavu(words, tmp_path):
    program = f"""
import sys
sys.modules["tavu"] = None
from transformers import AutoModelForCausalLM, AutoTokenizer
model = AutoModelForCausalLM.from_pretrained({str(words.folder)!r}, trust_remote_code=True)
tokenizer = AutoTokenizer.from_pretrained({str(words.folder)!r}, trust_remote_code=True)
print(model.generate(**tokenizer("Once", return_tensors="pt"), do_sample=False, max_new_tokens=8)[0].tolist())
"""
    environment = os.environ | {"HF_MODULES_CACHE": str(tmp_path), "HF_HUB_OFFLINE": "1"}
    ran = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    inputs = words.tokenizer("Once", return_tensors="pt")
    assert json.loads(ran.stdout) == words.model.generate(**inputs, do_sample=False, max_new_tokens=8)[0].tolist()
    assert not re.search(r"^\s*(from|import) tavu\b", "".join(path.read_text() for path in words.folder.glob("*.py")), re.MULTILINE)


def test_the_model_file_is_in_the_folder(exported):
    assert (exported.folder / "tavu.safetensors").read_bytes() == exported.file.read_bytes()


def test_the_card_has_the_facts_of_the_file(tmp_path):
    folder = export_hf("stories", tmp_path / "stories").out
    card = (folder / "README.md").read_text(encoding="utf-8")
    assert card.startswith("---\nlibrary_name: transformers\n") and "# stories\n" in card
    for fact in ("7,786,178", "0.6397 ± 0.0121", "3 min 57 s", "`i1.jsonl.gz`", "CDLA-Sharing-1.0", "1,023 bytes", "3,900"):
        assert fact in card, fact
    programs = re.findall(r"```python\n(.*?)```", card, re.DOTALL)
    assert len(programs) == 1
    compile(programs[0], "README.md", "exec")
