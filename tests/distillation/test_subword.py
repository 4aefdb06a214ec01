"""Next-byte probabilities of a model over tokens equal brute force, and a tokenizer that loses bytes is refused."""

import math
import os
import sys
from collections.abc import Callable

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import (
    BertConfig,
    BertLMHeadModel,
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    MambaConfig,
    MambaForCausalLM,
    PreTrainedTokenizerFast,
)

from tavu import run_recipes, runs
from tavu.distillation import covers, subword
from tavu.distillation.model_teacher import open_teacher
from tavu.distillation.subword import SubwordTeacher, open_subword_teacher, windows
from tavu.distillation.token_bytes import read_tokenizer
from tavu.distillation.token_tree import ROOT, CachedTree, UncachedTree
from tavu.errors import TavuError
from tavu.training.events import Taught
from tavu.vocabulary import END, NUM_IDS
from tests.training.conftest import TINY

CONTEXT = 24
TEXTS = ["then the ää aah", "ähä then", "the end"]


def byte_level(alphabet: list[str] | None = None, normalizer: normalizers.Normalizer | None = None) -> PreTrainedTokenizerFast:
    """A byte-level BPE with tokens such as " then", and with a token of two characters of two bytes."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    if normalizer is not None:
        tokenizer.normalizer = normalizer
    letters = pre_tokenizers.ByteLevel.alphabet() if alphabet is None else alphabet
    trainer = trainers.BpeTrainer(vocab_size=272, special_tokens=["<end>", "<pad>"], initial_alphabet=letters, show_progress=False)
    tokenizer.train_from_iterator(TEXTS * 3, trainer)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<end>", pad_token="<pad>")


def sentencepiece() -> PreTrainedTokenizerFast:
    """A SentencePiece BPE with byte fallback, as that of Llama 2: a space is put before every text. "h" is both a piece and a byte."""
    pieces = ["<unk>", "<s>", "</s>", *(f"<0x{value:02X}>" for value in range(256)), "▁", "h", "e", "t", "▁t", "he", "▁the", "ä", "ää"]
    merges = [("▁", "t"), ("h", "e"), ("▁t", "he"), ("ä", "ä")]
    model = models.BPE({piece: i for i, piece in enumerate(pieces)}, merges, byte_fallback=True, unk_token="<unk>", fuse_unk=True)
    tokenizer = Tokenizer(model)
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    tokenizer.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", unk_token="<unk>")


def llama(tokenizer: PreTrainedTokenizerFast) -> LlamaForCausalLM:
    torch.manual_seed(0)
    sizes = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    config = LlamaConfig(vocab_size=len(tokenizer), max_position_embeddings=CONTEXT, initializer_range=0.5, **sizes)
    return LlamaForCausalLM(config).double()


def gpt2(tokenizer: PreTrainedTokenizerFast) -> GPT2LMHeadModel:
    torch.manual_seed(0)
    config = GPT2Config(vocab_size=len(tokenizer) + 3, n_positions=CONTEXT, n_embd=16, n_layer=2, n_head=2, initializer_range=0.5)
    return GPT2LMHeadModel(config).double()


def mamba(tokenizer: PreTrainedTokenizerFast) -> MambaForCausalLM:
    torch.manual_seed(0)
    config = MambaConfig(vocab_size=len(tokenizer), hidden_size=16, num_hidden_layers=1, state_size=4)
    return MambaForCausalLM(config).double()


MODELS = {
    "Llama, byte-level": (llama, byte_level),
    "GPT-2, byte-level": (gpt2, byte_level),
    "Llama, SentencePiece": (llama, sentencepiece),
    "Mamba, byte-level": (mamba, byte_level),
}


@pytest.fixture(scope="module", params=MODELS)
def exact(request) -> SubwordTeacher:
    """A random model of each kind, which drops nothing."""
    make_model, make_tokenizer = MODELS[request.param]
    tokenizer = make_tokenizer()
    return SubwordTeacher(make_model(tokenizer), read_tokenizer(tokenizer, "hf:tiny"), name="hf:tiny", epsilon=0.0)


class BruteForce:
    """Probabilities by their definition: every token string that covers a text is read from its start, alone."""

    def __init__(self, teacher: SubwordTeacher):
        self.teacher, self.spellings = teacher, teacher.tokens.spellings
        self.read: dict[tuple[int, ...], np.ndarray] = {}

    def next_token(self, path: tuple[int, ...]) -> np.ndarray:
        if path not in self.read:
            with torch.inference_mode():
                logits = self.teacher.model(input_ids=torch.tensor([path])).logits[0, -1]
            kept = [*self.spellings, self.teacher.tokens.end]
            probs = np.zeros(len(logits))
            probs[kept] = logits[kept].softmax(-1).numpy()
            self.read[path] = probs
        return self.read[path]

    def starts_with(self, text: bytes, path: tuple[int, ...]) -> float:
        """The probability that what follows the path starts with a text."""
        if not text:
            return 1.0
        probs, total = self.next_token(path), 0.0
        for token, spelling in self.spellings.items():
            if spelling.startswith(text):
                total += probs[token]
            elif text.startswith(spelling):
                total += probs[token] * self.starts_with(text[len(spelling) :], (*path, token))
        return total

    def is_all(self, text: bytes, path: tuple[int, ...]) -> float:
        """The probability that what follows the path is a text and nothing more."""
        probs = self.next_token(path)
        if not text:
            return probs[self.teacher.tokens.end]
        fitting = [(token, spelling) for token, spelling in self.spellings.items() if text.startswith(spelling)]
        return sum(probs[token] * self.is_all(text[len(spelling) :], (*path, token)) for token, spelling in fitting)

    def distribution(self, text: bytes) -> np.ndarray:
        """What follows a text at the start of a document: (257,) probabilities."""
        begun, text = (self.teacher.tokens.start,), self.teacher.tokens.prefix + text
        masses = [self.starts_with(text + bytes([value]), begun) for value in range(256)]
        return np.array([*masses, self.is_all(text, begun)]) / self.starts_with(text, begun)


@pytest.mark.parametrize("document", ["the", "ää", "", b"h\xff\xc3", " t\0"])
def test_probabilities_equal_brute_force(exact, document):
    """Among them: no text, characters of several bytes that tokens split, bytes that are not UTF-8, bytes that only one token has, and END."""
    document = document if isinstance(document, bytes) else document.encode()
    rows, brute = exact._document_log_probs(document), BruteForce(exact)
    error = 1e-6 if isinstance(exact.model, MambaForCausalLM) else 1e-9  # Mamba's logits are float32
    assert rows.shape == (len(document) + 1, NUM_IDS)
    for t, row in enumerate(rows):
        expected = brute.distribution(document[:t])
        assert expected.sum() == pytest.approx(1.0, abs=error)
        assert np.exp(row) == pytest.approx(expected, abs=error)


def test_rows_are_float32_and_depend_on_no_other_document(exact):
    documents = [b"the end", b"", "ähä".encode()]
    together = list(exact.log_probs(documents))
    assert all(rows.dtype == np.float32 for rows in together)
    for rows, document in zip(together, documents, strict=True):
        assert np.array_equal(rows, next(exact.log_probs([document])))


def test_models_without_tree_masks_read_each_path_alone(exact):
    assert exact.new_tree is (UncachedTree if isinstance(exact.model, MambaForCausalLM) else CachedTree)


def test_a_tree_read_at_once_or_in_parts_gives_the_same_distributions():
    tokenizer = byte_level()
    model, allowed = llama(tokenizer), torch.ones(len(tokenizer), dtype=torch.bool)
    parents, tokens = [ROOT, 0, 1, 0, 3, 1, 5], [0, 70, 80, 90, 80, 90, 100]
    alone = UncachedTree(model, allowed).add(parents, tokens)
    assert CachedTree(model, allowed).add(parents, tokens) == pytest.approx(alone, abs=1e-9)
    for tree in (CachedTree(model, allowed), UncachedTree(model, allowed)):
        parts = [tree.add(parents[part], tokens[part]) for part in (slice(0, 2), slice(2, 3), slice(3, 7))]
        assert np.concatenate(parts) == pytest.approx(alone, abs=1e-9)


def test_dropping_negligible_token_strings_changes_little_and_reads_less(monkeypatch):
    tokenizer = byte_level()
    tokens, model = read_tokenizer(tokenizer, "hf:tiny"), llama(tokenizer)
    document, nodes, rows = b"then the end", {}, {}
    for epsilon in (0.0, 1e-4, 1e-2):
        teacher, trees = SubwordTeacher(model, tokens, name="hf:tiny", epsilon=epsilon), []
        teacher.new_tree = lambda *given, trees=trees: trees.append(CachedTree(*given)) or trees[-1]
        rows[epsilon] = np.exp(teacher._document_log_probs(document))
        nodes[epsilon] = len(trees[0].depths)
        assert rows[epsilon].sum(axis=1) == pytest.approx(np.ones(len(document) + 1))
    distance = {epsilon: np.abs(rows[epsilon] - rows[0.0]).sum(axis=1).max() / 2 for epsilon in (1e-4, 1e-2)}
    assert nodes[0.0] > nodes[1e-4] > nodes[1e-2]
    assert 0 < distance[1e-4] < 1e-3 < distance[1e-2] < 0.1


def test_long_documents_are_read_in_windows_with_half_a_context_before_what_they_contribute():
    tokenizer = byte_level()
    tokens = read_tokenizer(tokenizer, "hf:tiny")
    teacher = SubwordTeacher(llama(tokenizer), tokens, name="hf:tiny", epsilon=1e-2)
    document = ("then the ähä aah " * 12).encode()
    trunk = tokens.encode(document)
    ends = np.cumsum([0, *(len(tokens.spellings[token]) for token in trunk)])
    rows = teacher._document_log_probs(document)
    assert len(trunk) > 3 * CONTEXT and rows.shape == (len(document) + 1, NUM_IDS)
    position = 0
    for start, stop, _ in windows(len(trunk), CONTEXT):
        window = document[ends[start] : ends[stop]]
        alone = teacher._document_log_probs(window)
        assert rows[position : ends[stop] + 1] == pytest.approx(alone[position - ends[start] :], abs=1e-9)
        position = ends[stop] + 1
    assert position == len(document) + 1


def test_the_number_of_nodes_read_at_once_changes_only_rounding(monkeypatch):
    tokenizer = byte_level()
    teacher = SubwordTeacher(llama(tokenizer), read_tokenizer(tokenizer, "hf:tiny"), name="hf:tiny", epsilon=1e-3)
    at_once = teacher._document_log_probs(b"then the end")
    monkeypatch.setattr(covers, "nodes_at_once", lambda num_tokens: 3)
    assert teacher._document_log_probs(b"then the end") == pytest.approx(at_once, abs=1e-9)


def test_a_very_unlikely_document_does_not_underflow():
    tokenizer = byte_level()
    model = llama(tokenizer)
    with torch.no_grad():
        model.lm_head.weight.mul_(100.0)
    teacher = SubwordTeacher(model, read_tokenizer(tokenizer, "hf:tiny"), name="hf:tiny", epsilon=1e-2)
    teacher.max_tokens = 100  # more than it was made for
    document = b"\xff\x00" * 45
    rows = teacher._document_log_probs(document)
    assert rows[np.arange(90), list(document)].sum() < -1000
    assert np.exp(rows).sum(axis=1) == pytest.approx(np.ones(91))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A model of transformers as users have it."""
    path, tokenizer = tmp_path_factory.mktemp("llama"), byte_level()
    llama(tokenizer).float().save_pretrained(path)
    tokenizer.save_pretrained(path)
    return path


def test_a_folder_is_a_teacher(folder):
    teacher = open_subword_teacher(f"hf:{folder}")
    assert teacher.name == f"hf:{folder}" and teacher.tokens.spellings[tokenizer_id(b" then", teacher)] == b" then"
    [rows] = teacher.log_probs([b"then"])
    assert np.exp(rows).sum(axis=1) == pytest.approx(np.ones(5), abs=1e-5)
    assert math.isfinite(rows.min())


def tokenizer_id(spelling: bytes, teacher: SubwordTeacher) -> int:
    return next(token for token, spelled in teacher.tokens.spellings.items() if spelled == spelling)


def test_the_digest_is_of_everything_that_distributions_depend_on(folder, monkeypatch):
    digest = open_subword_teacher(f"hf:{folder}").digest
    assert open_subword_teacher(f"hf:{folder}").digest == digest
    changed = open_subword_teacher(f"hf:{folder}").model
    with torch.no_grad():
        changed.lm_head.weight[3, 4] += 1e-3
    tokens = read_tokenizer(byte_level(), "hf:tiny")
    assert SubwordTeacher(changed, tokens, name="hf:tiny").digest != digest
    monkeypatch.setattr(subword, "MAX_TOKENS", 16)
    assert open_subword_teacher(f"hf:{folder}").digest != digest


def _word_piece() -> PreTrainedTokenizerFast:
    tokenizer = Tokenizer(models.WordPiece({"[UNK]": 0, "the": 1, "</s>": 2}, unk_token="[UNK]"))
    tokenizer.decoder = decoders.WordPiece()
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="[UNK]", eos_token="</s>")


def _without_end() -> PreTrainedTokenizerFast:
    return PreTrainedTokenizerFast(tokenizer_object=byte_level().backend_tokenizer)


REFUSED: dict[str, tuple[Callable[[], PreTrainedTokenizerFast], str]] = {
    "lower case": (lambda: byte_level(normalizer=normalizers.Lowercase()), r"hf:tiny: its tokenizer loses bytes: 'A' becomes 'a'\. A teacher needs"),
    "composed": (lambda: byte_level(normalizer=normalizers.NFC()), r"loses bytes: 'Hyv.* becomes"),
    "few bytes": (lambda: byte_level(alphabet=["a", "b"]), r"has no token for \d+ of the bytes that text can have \(0x00, 0x01, 0x02 \.\.\.\)"),
    "word pieces": (_word_piece, r"its tokenizer is WordPiece without a rule from tokens to bytes\. A teacher needs"),
    "no end": (_without_end, r"has no token for the end of a text \(eos_token\)"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_a_tokenizer_that_loses_bytes_is_refused(kind):
    make_tokenizer, sentence = REFUSED[kind]
    with pytest.raises(TavuError, match=sentence):
        read_tokenizer(make_tokenizer(), "hf:tiny")


def test_a_byte_that_no_token_spells_is_refused():
    letters = [letter for letter in pre_tokenizers.ByteLevel.alphabet() if letter != "ÿ"]  # of byte 0xff, which UTF-8 never has
    tokenizer = byte_level(alphabet=letters)
    teacher = SubwordTeacher(llama(tokenizer), read_tokenizer(tokenizer, "hf:tiny"), name="hf:tiny", epsilon=0.0)
    assert teacher._document_log_probs(b"the")[:, 0xFF] == pytest.approx(np.full(4, covers.FLOOR))
    with pytest.raises(TavuError, match=r"hf:tiny: a document has byte 0xff, which no token spells\."):
        list(teacher.log_probs([b"the\xff"]))


def test_a_student_learns_from_a_folder(folder, tmp_path):
    text = tmp_path / "text.txt"
    text.write_text("\n<|endoftext|>\n".join(f"the ähä {i}" for i in range(40)), encoding="utf-8")
    name = os.path.relpath(folder)  # the run names the folder from the root, so that it can be resumed anywhere
    recipe = run_recipes.new_recipe([str(text)], steps=2, teachers=[f"hf:{name}"], settings=TINY)
    events = list(runs.run(recipe, tmp_path / "run", resume=False, command=["tavu"], read_progress=lambda done, total: None))
    [taught] = [event for event in events if isinstance(event, Taught)]
    assert taught.names == (f"hf:{folder}",)
    assert 4 < taught.bits_per_byte[0] < 16
    assert (tmp_path / "run" / "model.safetensors").exists()


@pytest.mark.parametrize("kind", ["bytes", "records"])
def test_a_student_of_other_data_than_text_is_refused(folder, kind):
    with pytest.raises(TavuError, match=rf"hf:.* is a model of (plain )?text, expected one of (raw )?{kind}, like the data\."):
        open_teacher(f"hf:{folder}", as_bytes=kind == "bytes", as_records=kind == "records")


def test_without_transformers_a_sentence_says_how_to_install_it(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(TavuError, match=r'is a model of transformers, which is not installed\. Install it: pip install "tavu\[hf\]"'):
        open_subword_teacher(f"hf:{folder}")


def test_what_is_no_model_or_reads_in_both_directions_is_refused(tmp_path):
    with pytest.raises(TavuError, match=r"transformers cannot open it \(.*\)\. Give a folder with config\.json"):
        open_subword_teacher(f"hf:{tmp_path}")
    tokenizer = byte_level()
    tokenizer.save_pretrained(tmp_path)
    BertLMHeadModel(
        BertConfig(vocab_size=len(tokenizer), hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16, initializer_range=0.5)
    ).save_pretrained(tmp_path)
    with pytest.raises(TavuError, match="reads in both directions, expected a causal language model"):
        open_subword_teacher(f"hf:{tmp_path}")


def test_special_tokens_are_given_no_probability_and_their_names_are_text(exact):
    tokens = exact.tokens
    assert set(tokens.spellings).isdisjoint({tokens.start, tokens.end})
    document = b"<end></s><s>"
    assert b"".join(tokens.spellings[token] for token in tokens.encode(document)) == tokens.prefix + document
    assert END == 256
