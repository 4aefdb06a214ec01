"""Train a small BPE Llama of the transformers library on a text, as a subword teacher to measure: byte-level BPE, AdamW in float32, one loop.

    pip install -e '.[benchmarks]'
    python benchmarks/train_bpe_llama.py train.txt bpe-llama --minutes 40

Writes a folder that AutoModelForCausalLM and AutoTokenizer open. Each document starts with <|endoftext|>, the only special token, and ends with it.
"""

import argparse
import itertools
import time

import numpy as np
import torch
import torch.nn.functional as F
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from tavu.config import DataConfig
from tavu.data.sources import SourceReport, read_documents

END = "<|endoftext|>"
CONTEXT = 512
ROW_TOKENS = 256


def train_tokenizer(documents: list[str], vocabulary: int) -> PreTrainedTokenizerFast:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=vocabulary, special_tokens=[END], initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator(documents, trainer)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token=END, bos_token=END, model_max_length=CONTEXT)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source")
    parser.add_argument("out")
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--vocabulary", type=int, default=2048)
    parser.add_argument("--dim", type=int, default=192)
    parser.add_argument("--layers", type=int, default=4)
    parser.add_argument("--rows", type=int, default=8, help="rows of 256 tokens per step")
    parser.add_argument("--rate", type=float, default=3e-3)
    given = parser.parse_args()

    torch.manual_seed(0)
    documents = [document.decode() for document in read_documents(given.source, DataConfig((given.source,)), SourceReport())]
    tokenizer = train_tokenizer(documents, given.vocabulary)
    encoded = tokenizer(documents, add_special_tokens=False)["input_ids"]
    end = tokenizer.eos_token_id
    stream = np.array([end, *itertools.chain.from_iterable([*ids, end] for ids in encoded)], dtype=np.int64)
    num_bytes = sum(len(document.encode()) for document in documents)
    print(f"{num_bytes:,} bytes, {len(stream):,} tokens, {num_bytes / len(stream):.2f} bytes per token", flush=True)

    config = LlamaConfig(
        vocab_size=given.vocabulary,
        hidden_size=given.dim,
        intermediate_size=round(given.dim * 8 / 3 / 32) * 32,
        num_hidden_layers=given.layers,
        num_attention_heads=given.dim // 48,
        max_position_embeddings=CONTEXT,
        tie_word_embeddings=True,
        bos_token_id=end,
        eos_token_id=end,
    )
    model = LlamaForCausalLM(config)
    print(f"{sum(p.numel() for p in model.parameters()):,} parameters", flush=True)
    optimizer = torch.optim.AdamW(model.parameters(), lr=given.rate, betas=(0.9, 0.95), weight_decay=0.1)
    random = np.random.default_rng(0)
    begun, mean = time.monotonic(), 0.0
    for step in itertools.count(1):
        done = (time.monotonic() - begun) / (60 * given.minutes)
        if done >= 1:
            break
        for group in optimizer.param_groups:
            group["lr"] = given.rate * min(1.0, step / 100, (1 - done) / 0.5)
        starts = random.integers(len(stream) - ROW_TOKENS, size=given.rows)
        ids = torch.from_numpy(np.stack([stream[start : start + ROW_TOKENS] for start in starts]))
        logits = model(input_ids=ids, use_cache=False).logits
        loss = F.cross_entropy(logits[:, :-1].flatten(0, 1), ids[:, 1:].flatten())
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        mean += (loss.item() - mean) / min(step, 100)
        if step % 100 == 0:
            print(f"step {step}: {mean:.3f} nats per token, {time.monotonic() - begun:.0f} s", flush=True)
    model.save_pretrained(given.out)
    tokenizer.save_pretrained(given.out)


if __name__ == "__main__":
    main()
