"""Model files that have been tampered with, under a sanitizer: each is refused with a sentence, or runs; nothing is read where it should not be.

Compiles the native engine with AddressSanitizer and UndefinedBehaviorSanitizer (GCC on Linux) and runs itself with it. Files are mutated where it
could hurt: numbers and names of the header, of tavu's own config, and bytes of the tensors. The last line is JSON.

    python benchmarks/fuzz.py --mutations 1000000
"""

import argparse
import dataclasses
import json
import math
import os
import random
import struct
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

CHECKSUM = "crc32"
HOUSE = Path(__file__).parents[1]
FLAGS = ["-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-fvisibility=hidden", "-shared", "-fPIC", "-Wno-psabi"]
ODD_NUMBERS = (0, 1, 2, 3, 7, 31, 32, 33, 64, 255, 256, 257, 1 << 15, 1 << 31, (1 << 31) - 1, 1 << 32, 1 << 62, 1 << 63, -1, -(1 << 31))


def run_under_sanitizer(num_mutations: int, seed: int) -> int:
    """Build the sanitized engine and run this script with it; its exit status."""
    with tempfile.TemporaryDirectory() as folder:
        library = Path(folder) / "tavu_engine.so"
        subprocess.run(["gcc", *FLAGS, *sorted(map(str, (HOUSE / "tavu/engine").glob("*.c"))), "-o", str(library), "-lm"], check=True)
        runtimes = [
            subprocess.run(["gcc", f"-print-file-name=lib{name}.so"], capture_output=True, text=True).stdout.strip() for name in ("asan", "ubsan")
        ]
        environment = os.environ | {"LD_PRELOAD": " ".join(runtimes), "ASAN_OPTIONS": "detect_leaks=0", "TAVU_FUZZ_LIBRARY": str(library)}
        arguments = ["--mutations", str(num_mutations), "--seed", str(seed)]
        return subprocess.run([sys.executable, __file__, *arguments], env=environment, check=False).returncode


def whole_files() -> list[bytes]:
    """Tiny model files of each kind of model and of weight."""
    sys.path.insert(0, str(HOUSE))
    import torch

    from tavu.config import FixedPatchConfig, LevelConfig, WordPatchConfig
    from tavu.model_file import save_model
    from tests.conftest import noisy_model

    torch.set_num_threads(1)
    rows = {f"{name}_rows": 16 for name in ("word", "pair", "prefix", "ngram", "phrase")}
    words = WordPatchConfig((LevelConfig(32, 1, 2, 32), LevelConfig(32, 1, 0, 32)), 16, phrase_orders=(1, 2), lexicon_words=12, pointer_dim=8, **rows)
    fixed = FixedPatchConfig((LevelConfig(128, 1, 2, 32, 4), LevelConfig(32, 1, 1, 32, 2), LevelConfig(32, 1, 2, 32)), 16)
    across = dataclasses.replace(fixed, cross_patch_bytes=2)
    files = []
    with tempfile.TemporaryDirectory() as folder:
        for config in (words, fixed, across):
            for bits in (16, 8, 4):
                save_model(Path(folder) / "model", noisy_model(config), {}, bits=bits)
                files.append(_without_checksum((Path(folder) / "model").read_bytes()))
    return files


def _without_checksum(content: bytes) -> bytes:
    """As whoever tampers with a file would leave it."""
    (length,) = struct.unpack("<Q", content[:8])
    entries = json.loads(content[8 : 8 + length])
    del entries["__metadata__"][CHECKSUM]
    header = json.dumps(entries).encode()
    return struct.pack("<Q", len(header)) + header + content[8 + length :]


def mutated(content: bytes, dice: random.Random) -> bytes:
    (length,) = struct.unpack("<Q", content[:8])
    header, tensors = content[8 : 8 + length], bytearray(content[8 + length :])
    way = dice.randrange(8)
    if way == 0:  # numbers anywhere in the header, tavu's config among them
        header = _with_odd_numbers(header, dice)
    elif way == 1:
        entries = json.loads(header)
        name = dice.choice([key for key in entries if key != "__metadata__"])
        other = dice.choice([key for key in entries if key != "__metadata__"])
        entries[name][dice.choice(("dtype", "shape", "data_offsets"))] = entries[other][dice.choice(("dtype", "shape", "data_offsets"))]
        header = json.dumps(entries).encode()
    elif way == 2:  # tavu's config alone, so that the header stays whole
        entries = json.loads(header)
        own = _with_odd_numbers(entries["__metadata__"]["tavu"].encode(), dice)
        entries["__metadata__"]["tavu"] = own.decode()
        header = json.dumps(entries).encode()
    elif way == 3:
        header = bytes(_with_noise(bytearray(header), dice))
    elif way == 4:  # more than any model has: context, tensors, dimensions, long names
        entries = json.loads(header)
        own = json.loads(entries["__metadata__"]["tavu"])
        name = dice.choice([key for key in entries if key != "__metadata__"])
        empty = {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}
        match dice.randrange(4):
            case 0:
                own["model"]["max_seq_len"] = dice.choice((2**14, 2**21, 2**31))
            case 1:
                entries |= {f"empty {i}": empty for i in range(dice.choice((1, 10_000)))}
            case 2:
                entries[name]["shape"] = [1] * dice.choice((7, 64, 65)) + entries[name]["shape"]
            case 3:
                own["model"][dice.choice(list(own["model"]))] = "x" * dice.choice((1, 10**6))
        entries["__metadata__"]["tavu"] = json.dumps(own)
        header = json.dumps(entries).encode()
    elif way == 5:  # facts of other types
        entries = json.loads(header)
        own = json.loads(entries["__metadata__"]["tavu"])
        facts = ("kind", "records", "features", "sources", "bytes_per_patch", "val_bpb", "record_bytes", "seconds", "train_bytes")
        own["facts"] = {fact: dice.choice((None, 3, -1.5, math.nan, "x", [], [None], {})) for fact in dice.sample(facts, 4)}
        entries["__metadata__"]["tavu"] = json.dumps(own)
        header = json.dumps(entries).encode()
    else:  # what the weights, tables, names and spellings say
        tensors = _with_noise(tensors, dice, most=200)
    whole = struct.pack("<Q", len(header)) + header + bytes(tensors)
    return whole[: dice.randrange(len(whole))] if dice.random() < 0.02 else whole


def _with_odd_numbers(text: bytes, dice: random.Random) -> bytes:
    places = [i for i, byte in enumerate(text) if chr(byte).isdigit() and not chr(text[i - 1]).isdigit()]
    for place in sorted(dice.sample(places, dice.randint(1, 2)), reverse=True):
        end = place
        while end < len(text) and chr(text[end]).isdigit():
            end += 1
        number = int(text[place:end])
        new = dice.choice((*ODD_NUMBERS, number + 1, number - 1, number * 2, number // 2))
        text = text[:place] + str(new).encode() + text[end:]
    return text


def _with_noise(content: bytearray, dice: random.Random, most: int = 4) -> bytearray:
    for _ in range(dice.randint(1, most)):
        content[dice.randrange(len(content))] = dice.choice((0, 1, 127, 128, 255, dice.randrange(256)))
    return content


def fuzz(num_mutations: int, seed: int) -> None:
    import numpy as np

    from tavu.config import SamplingConfig
    from tavu.engine import layout, native
    from tavu.errors import TavuError
    from tavu.stored_model import open_model

    layout.LIBRARY = Path(os.environ["TAVU_FUZZ_LIBRARY"])
    files, dice, outcomes = whole_files(), random.Random(seed), Counter[str]()
    assert native.is_built()
    sampling = native.NativeSampling(SamplingConfig(temperature=1.0))
    begun = time.perf_counter()
    with tempfile.TemporaryDirectory(dir="/dev/shm" if os.path.isdir("/dev/shm") else None) as folder:
        path = Path(folder) / "model"
        for i in range(num_mutations):
            path.write_bytes(mutated(dice.choice(files), dice))
            try:
                engine = native.NativeEngine(open_model(path))
                engine.step([engine.read(b"Once upon a time, a bear")], [sampling], np.random.default_rng(i).random((1, 6)))
                outcomes["ran"] += 1
            except TavuError as error:
                assert "\n" not in str(error)
                outcomes["refused" if "NaN" not in str(error) else "gave NaN"] += 1
            if i % 10_000 == 9_999:
                print(f"{i + 1:,} mutations, {(i + 1) / (time.perf_counter() - begun):,.0f} a second, {dict(outcomes)}", flush=True)
    print(json.dumps({"mutations": num_mutations, "seed": seed, **outcomes, "seconds": round(time.perf_counter() - begun)}))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mutations", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    if "TAVU_FUZZ_LIBRARY" not in os.environ:
        return run_under_sanitizer(arguments.mutations, arguments.seed)
    fuzz(arguments.mutations, arguments.seed)
    return 0


if __name__ == "__main__":
    sys.exit(main())
