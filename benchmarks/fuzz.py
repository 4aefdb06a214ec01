"""Model files that have been tampered with, under sanitizers: the engine refuses each with a sentence, or runs it, and reads nothing out of bounds.

Compiles the engine with AddressSanitizer and UndefinedBehaviorSanitizer (GCC on Linux) and runs itself with it, in several processes. Files are
mutated where it could hurt: the header's structure, its numbers and names, tavu's own config, and the bytes of tensors; and they lie at any address.
Each goes straight to tavu_open, and some also through Python's checks. The last line is JSON.

    python benchmarks/fuzz.py --mutations 1000000
"""

import argparse
import ctypes
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
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

    from tavu.engine.native import NativeSampling

CHECKSUM = "crc32"
HOUSE = Path(__file__).parents[1]
FLAGS = ["-O2", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-fvisibility=hidden", "-shared", "-fPIC", "-Wno-psabi"]
THROUGH_PYTHON = 20
"""Of so many files one also goes through Python's checks."""
ODD_NUMBERS = (0, 1, 2, 3, 7, 31, 32, 33, 64, 255, 256, 257, 1 << 15, 1 << 31, (1 << 31) - 1, 1 << 32, 1 << 62, 1 << 63, -1, -(1 << 31))


def run_under_sanitizer(num_mutations: int, seed: int, num_processes: int) -> int:
    """Build the sanitized engine and run this script with it; its exit status."""
    with tempfile.TemporaryDirectory() as folder:
        library = Path(folder) / "tavu_engine.so"
        subprocess.run(["gcc", *FLAGS, *sorted(map(str, (HOUSE / "tavu/engine").glob("*.c"))), "-o", str(library), "-lm"], check=True)
        runtimes = [
            subprocess.run(["gcc", f"-print-file-name=lib{name}.so"], capture_output=True, text=True).stdout.strip() for name in ("asan", "ubsan")
        ]
        environment = os.environ | {
            "LD_PRELOAD": " ".join(runtimes),
            "ASAN_OPTIONS": "detect_leaks=0:allocator_may_return_null=1:malloc_context_size=1:quarantine_size_mb=8",
            "UBSAN_OPTIONS": "print_stacktrace=1",
            "TAVU_FUZZ_LIBRARY": str(library),
        }
        processes = []
        for i in range(num_processes):
            arguments = ["--mutations", str(num_mutations // num_processes), "--seed", str(seed + i)]
            processes.append(subprocess.Popen([sys.executable, __file__, *arguments], env=environment, stdout=subprocess.PIPE, text=True))
        total = Counter[str]()
        for process in processes:
            for line in process.stdout:
                print(line, end="", flush=True)
            if process.wait() == 0:
                total.update(json.loads(line))
        print(json.dumps({"seed": seed, **total}))
        return max(abs(process.returncode) for process in processes)


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
    two = FixedPatchConfig((LevelConfig(64, 1, 2, 32, 2), LevelConfig(32, 1, 1, 32)), 16)
    three = FixedPatchConfig((LevelConfig(64, 1, 2, 32, 4), LevelConfig(32, 1, 1, 32, 2), LevelConfig(32, 1, 2, 32)), 16)
    files = []
    with tempfile.TemporaryDirectory() as folder:
        for config in (words, two, three, dataclasses.replace(two, cross_patch_bytes=1), dataclasses.replace(three, cross_patch_bytes=2)):
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
    if dice.random() < 0.25:  # what the weights, tables, names and spellings say
        tensors = _with_noise(tensors, dice, most=200)
    else:
        header = dice.choice((_with_odd_numbers, _with_bytes, _with_other_entry, _with_other_config, _with_excess, _with_other_facts))(header, dice)
    stated = dice.choice((0, 7, 1 << 22, 1 << 63, length - 1, length + 1)) if dice.random() < 0.01 else len(header)
    whole = struct.pack("<Q", stated) + header + bytes(tensors)
    return whole[: dice.randrange(len(whole))] if dice.random() < 0.02 else whole


def _with_bytes(header: bytes, dice: random.Random) -> bytes:
    """Bytes of JSON changed, left out, or written twice."""
    place, count = dice.randrange(len(header)), dice.randint(1, 8)
    match dice.randrange(3):
        case 0:
            return bytes(_with_noise(bytearray(header), dice))
        case 1:
            return header[:place] + header[place + count :]
        case _:
            return header[: place + count] + header[place:]


def _with_other_entry(header: bytes, dice: random.Random) -> bytes:
    """A tensor's entry changed: parts of another's, odd values, another order of dimensions, another name, none, or one of its own twice."""
    entries = json.loads(header)
    names = [key for key in entries if key != "__metadata__"]
    name, other = dice.sample(names, 2)
    part = dice.choice(("dtype", "shape", "data_offsets"))
    match dice.randrange(8):
        case 0:
            entries[name][part] = entries[other][dice.choice(("dtype", "shape", "data_offsets"))]
        case 1:
            entries[name][part] = _odd_value(dice)
        case 2:
            entries[name]["shape"].reverse()
        case 3:
            entries[dice.choice((other, "", "é\n\0", name + ".scales", "x" * dice.choice((90, 5000))))] = entries.pop(name)
        case 4:
            del entries[name]
        case 5:
            del entries[name][part]
        case 6:
            entries[name]["data_offsets"][dice.randrange(2)] += dice.choice((-2, -1, 1, 2, 1 << 40))
        case _:
            twice = json.dumps({name: entries[other]})[1:-1]
            return json.dumps(entries)[:-1].encode() + b", " + twice.encode() + b"}"
    return json.dumps(entries).encode()


def _with_other_config(header: bytes, dice: random.Random) -> bytes:
    """tavu's own part changed: numbers, values of any type, settings and levels left out, added or taken from others; the header stays whole."""
    entries = json.loads(header)
    own = json.loads(entries["__metadata__"]["tavu"])
    model = own["model"]
    table = dice.choice((model, model, *model["levels"], own))
    key = dice.choice(list(table))
    match dice.randrange(7):
        case 0:
            entries["__metadata__"]["tavu"] = _with_odd_numbers(json.dumps(own).encode(), dice).decode()
            return json.dumps(entries).encode()
        case 1:
            table[key] = _odd_value(dice)
        case 2:
            del table[key]
        case 3:
            table[dice.choice((key + "x", "", "conv_encoder", "patch_size", "ngram_orders"))] = dice.choice((table[key], _odd_value(dice)))
        case 4:
            model["levels"] = [dice.choice(model["levels"]) for _ in range(dice.choice((0, 1, 2, 3, 17, 18, 300)))]
        case 5:
            model["patching"] = dice.choice(("words", "fixed", "word", 3))
        case _:
            model |= {setting: dice.choice((1 << dice.randrange(31), table.get(setting, 3))) for setting in dice.sample(list(model), 2)}
    entries["__metadata__"]["tavu"] = json.dumps(own)
    return json.dumps(entries, ensure_ascii=dice.random() < 0.5).encode()


def _with_excess(header: bytes, dice: random.Random) -> bytes:
    """More than any model has: context, tensors, dimensions, depth, long names and numbers."""
    entries = json.loads(header)
    own = json.loads(entries["__metadata__"]["tavu"])
    name = dice.choice([key for key in entries if key != "__metadata__"])
    empty = {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}
    deep = dice.choice((10, 60, 70, 100_000))
    match dice.randrange(6):
        case 0:
            own["model"]["max_seq_len"] = dice.choice((2**14, 2**21, 2**31))
        case 1:
            entries |= {f"empty {i}": empty for i in range(dice.choice((1, 300, 5_000)))}
        case 2:
            entries[name]["shape"] = [1] * dice.choice((7, 64, 65)) + entries[name]["shape"]
        case 3:
            own["model"][dice.choice(list(own["model"]))] = "x" * dice.choice((1, 10**5))
        case 4:
            own["facts"]["deep"] = "DEEP"
        case _:
            entries[name]["shape"] = [dice.choice((10**18, 10**19, 10**40, -(10**19))), *entries[name]["shape"]]
    entries["__metadata__"]["tavu"] = json.dumps(own).replace('"DEEP"', "[" * deep + "]" * deep)
    return json.dumps(entries).encode()


def _with_other_facts(header: bytes, dice: random.Random) -> bytes:
    """Facts of other types, which Python reads."""
    entries = json.loads(header)
    own = json.loads(entries["__metadata__"]["tavu"])
    facts = ("kind", "records", "features", "sources", "bytes_per_patch", "val_bpb", "record_bytes", "seconds", "train_bytes")
    own["facts"] = {fact: dice.choice((None, 3, -1.5, math.nan, "x", [], [None], {})) for fact in dice.sample(facts, 4)}
    entries["__metadata__"]["tavu"] = json.dumps(own)
    return json.dumps(entries).encode()


def _odd_value(dice: random.Random) -> object:
    return dice.choice((None, True, -0.0, 1e300, math.inf, "", "I8", "\ud800\0", [], [[]], [1, 2, 3], [0], {}, {"a": 1}, *ODD_NUMBERS))


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
        content[dice.randrange(len(content))] = dice.choice((0, 1, 127, 129, 255, dice.randrange(256)))
    return content


def fuzz(num_mutations: int, seed: int) -> None:
    import numpy as np

    from tavu.config import SamplingConfig
    from tavu.engine import library, native
    from tavu.errors import TavuError
    from tavu.stored_model import open_model

    library.LIBRARY = Path(os.environ["TAVU_FUZZ_LIBRARY"])
    files, dice, outcomes = whole_files(), random.Random(seed), Counter[str]()
    engine, sampling = library.library(), native.NativeSampling(SamplingConfig(temperature=1.0))
    assert engine
    begun = time.perf_counter()
    with tempfile.TemporaryDirectory(dir="/dev/shm" if os.path.isdir("/dev/shm") else None) as folder:
        path = Path(folder) / "model"
        assert all(run_in_engine(engine, content, sampling, np.random.default_rng(i)) != "refused" for i, content in enumerate(files))
        for i in range(num_mutations):
            content = mutated(dice.choice(files), dice)
            outcomes[run_in_engine(engine, content, sampling, np.random.default_rng(i))] += 1
            if i % THROUGH_PYTHON == 0:
                path.write_bytes(content)
                try:
                    native.NativeEngine(open_model(path))
                except TavuError as error:
                    assert "\n" not in str(error)
            if i % 20_000 == 19_999:
                print(f"{i + 1:,} mutations, {(i + 1) / (time.perf_counter() - begun):,.0f} a second, {dict(outcomes)}", flush=True)
    print(json.dumps({"mutations": num_mutations, **outcomes, "seconds": round(time.perf_counter() - begun)}))


def run_in_engine(library: ctypes.CDLL, content: bytes, sampling: "NativeSampling", dice: "np.random.Generator") -> str:
    """What becomes of a file that lies at any address: refused, or opened, read, written, copied and scored with."""
    import numpy as np

    offset = int(dice.integers(8))
    memory = np.frombuffer(bytes(offset) + content, dtype=np.uint8).copy()
    message = ctypes.create_string_buffer(int(dice.choice((1, 2, 80, 1000))))
    engine = library.tavu_open(memory.ctypes.data + offset, len(content), message, len(message))
    if not engine:
        assert len(message) < 1000 or (message.value.endswith(b".") and b"\n" not in message.value), message.value
        return "refused"
    ids = np.array([256, *b"Once upon a bear\xff a"], dtype=np.int32)
    uniforms, out = dice.random((1, 4)), np.empty((1, 4), dtype=np.int32)
    row = library.tavu_row(engine)
    failed = library.tavu_read(engine, row, ids.ctypes.data, len(ids), 0, 1.0)
    copied = library.tavu_copy_row(engine, row)
    rows, ways = (ctypes.c_void_p * 1)(copied), (ctypes.POINTER(type(sampling.structure)) * 1)(ctypes.pointer(sampling.structure))
    failed = failed or library.tavu_write(engine, ctypes.byref(rows), 1, 4, ways, uniforms.ctypes.data, out.ctypes.data, None)
    bits, places = np.empty(3, dtype=np.float32), np.empty(3, dtype=np.int32)
    library.tavu_score(engine, ids.ctypes.data, 5, 2, bits.ctypes.data, places.ctypes.data, None)
    library.tavu_free_row(row)
    library.tavu_free_row(copied)
    library.tavu_close(engine)
    return {0: "ran", -1: "gave NaN"}.get(failed, "ran out of memory")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mutations", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--processes", type=int, default=2)
    arguments = parser.parse_args()
    if "TAVU_FUZZ_LIBRARY" not in os.environ:
        return run_under_sanitizer(arguments.mutations, arguments.seed, arguments.processes)
    fuzz(arguments.mutations, arguments.seed)
    return 0


if __name__ == "__main__":
    sys.exit(main())
