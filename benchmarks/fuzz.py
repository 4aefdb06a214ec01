"""Fuzz the engine with corrupted model files, under sanitizers: it must refuse each file with a sentence, or run it without reading out of bounds.

Compiles the engine with AddressSanitizer and UndefinedBehaviorSanitizer (GCC on Linux) and runs this script with it, in several processes. Mutations
target the structure, numbers and names of the header, tavu's config, and the bytes of tensors. Files are placed at arbitrary addresses. Each file is
passed to tavu_open, and some also through Python's checks. The last line is JSON.

    python benchmarks/fuzz.py --mutations 1000000
"""

import argparse
import ctypes
import dataclasses
import json
import math
import os
import random
import re
import struct
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[1]
FLAGS = [
    "-O2",
    "-g",
    "-fsanitize=address,undefined",
    "-fno-sanitize-recover=all",
    "-fvisibility=hidden",
    "-shared",
    "-fPIC",
    "-Wno-psabi",
    "-DMAX_BATCH=4",
]
HEADER_ROOM = 1 << 20
THROUGH_PYTHON = 50
"""One file in this many is also passed through Python's checks."""
ODD_NUMBERS = (0, 1, 2, 3, 7, 31, 32, 33, 64, 255, 256, 257, 1 << 15, 1 << 31, (1 << 31) - 1, 1 << 32, 1 << 62, 1 << 63, -1, -(1 << 31))


def run_under_sanitizer(num_mutations: int, seed: int, num_processes: int) -> int:
    """Build the sanitized engine and run this script with it. Returns the exit status."""
    with tempfile.TemporaryDirectory() as folder:
        library = Path(folder) / "tavu_engine.so"
        subprocess.run(["gcc", *FLAGS, *sorted(map(str, (ROOT / "tavu/engine").glob("*.c"))), "-o", str(library), "-lm"], check=True)
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


class ValidFile:
    """A valid model file, split into parts that are fast to reassemble, with its tensors already in memory."""

    def __init__(self, content: bytes):
        import numpy as np

        (length,) = struct.unpack("<Q", content[:8])
        self.entries = json.loads(content[8 : 8 + length])
        self.own = json.loads(self.entries.pop("__metadata__")["tavu"])
        self.texts = {name: json.dumps({name: entry})[1:-1] for name, entry in self.entries.items()}
        self.header = self.with_texts({})
        self.numbers = [found.span() for found in re.finditer(rb"(?<!\d)\d+", self.header)]
        self.num_tensor_bytes = len(content) - 8 - length
        self.memory = []
        """The header is written to the end of the first HEADER_ROOM bytes. In the second buffer, tensors are at odd addresses."""
        for offset in (0, 1):
            memory = np.zeros(HEADER_ROOM + offset + self.num_tensor_bytes, dtype=np.uint8)
            memory[HEADER_ROOM + offset :] = np.frombuffer(content, dtype=np.uint8)[8 + length :]
            self.memory.append(memory)

    def with_texts(self, texts: dict[str, str | None], own: object = None, metadata: str | None = None) -> bytes:
        """The header with some tensor entries replaced (None: removed), or with other metadata."""
        metadata = metadata or json.dumps({"tavu": json.dumps(own or self.own)})
        kept = [text for text in (self.texts | texts).values() if text is not None]
        return f'{{"__metadata__": {metadata}, {", ".join(kept)}}}'.encode()


def valid_files() -> list[ValidFile]:
    """Tiny model files of each architecture, number of levels and bits of weights."""
    sys.path.insert(0, str(ROOT))
    import torch

    from tavu.config import FixedPatchConfig, LevelConfig, MLPStackConfig, TransformerConfig, WordPatchConfig
    from tavu.model_file import save_model
    from tests.conftest import noisy_model

    torch.set_num_threads(1)
    rows = {f"{name}_rows": 16 for name in ("word", "pair", "prefix", "ngram", "phrase")}
    levels = TransformerConfig(32, 1, 2, 32), MLPStackConfig(32, 1, 32)
    words = WordPatchConfig(levels, 16, phrase_orders=(1, 2), lexicon_words=12, pointer_dim=8, **rows)
    two = FixedPatchConfig((LevelConfig(64, 1, 2, 32, 2), LevelConfig(32, 1, 1, 32)), 16)
    three = FixedPatchConfig((LevelConfig(64, 1, 2, 32, 4), LevelConfig(32, 1, 1, 32, 2), LevelConfig(32, 1, 2, 32)), 16)
    files = []
    with tempfile.TemporaryDirectory() as folder:
        for config in (words, two, three, dataclasses.replace(two, cross_patch_bytes=1), dataclasses.replace(three, cross_patch_bytes=2)):
            for bits in (16, 8, 4):
                save_model(Path(folder) / "model", noisy_model(config), {}, bits=bits)
                files.append(ValidFile((Path(folder) / "model").read_bytes()))
    return files


def mutated_header(file: ValidFile, dice: random.Random) -> bytes:
    return dice.choice((_with_odd_numbers, _with_bytes, _with_other_entry, _with_other_config, _with_excess, _with_other_facts))(file, dice)


def _with_odd_numbers(file: ValidFile, dice: random.Random) -> bytes:
    header = file.header
    for begin, end in sorted(dice.sample(file.numbers, dice.randint(1, 2)), reverse=True):
        number = int(header[begin:end])
        new = dice.choice((*ODD_NUMBERS, number + 1, number - 1, number * 2, number // 2))
        header = header[:begin] + str(new).encode() + header[end:]
    return header


def _with_bytes(file: ValidFile, dice: random.Random) -> bytes:
    """Bytes of JSON changed, removed or duplicated."""
    header, place, count = file.header, dice.randrange(len(file.header)), dice.randint(1, 8)
    match dice.randrange(3):
        case 0:
            changed = bytearray(header)
            for _ in range(dice.randint(1, 4)):
                changed[dice.randrange(len(changed))] = dice.choice((0, 31, 127, 128, 255, *b'{}[]",:\\0e-', dice.randrange(256)))
            return bytes(changed)
        case 1:
            return header[:place] + header[place + count :]
        case _:
            return header[: place + count] + header[place:]


def _with_other_entry(file: ValidFile, dice: random.Random) -> bytes:
    """A tensor entry changed: parts of another one, odd values, permuted dimensions, another name, removed, or with a duplicate key."""
    name, other = dice.sample(list(file.entries), 2)
    entry, part = json.loads(json.dumps(file.entries[name])), dice.choice(("dtype", "shape", "data_offsets"))
    match dice.randrange(8):
        case 0:
            entry[part] = file.entries[other][dice.choice(("dtype", "shape", "data_offsets"))]
        case 1:
            entry[part] = _odd_value(dice)
        case 2:
            entry["shape"].reverse()
        case 3:
            new = dice.choice((other, "", "é\n\0", name + ".scales", "x" * dice.choice((90, 5000))))
            return file.with_texts({name: json.dumps({new: entry}, ensure_ascii=False)[1:-1]})
        case 4:
            return file.with_texts({name: None})
        case 5:
            del entry[part]
        case 6:
            entry["data_offsets"][dice.randrange(2)] += dice.choice((-2, -1, 1, 2, 1 << 40))
        case _:
            return file.with_texts({other: file.texts[other] + ", " + json.dumps({other: entry})[1:-1]})
    return file.with_texts({name: json.dumps({name: entry})[1:-1]})


def _with_other_config(file: ValidFile, dice: random.Random) -> bytes:
    """tavu's metadata changed: values of any type, settings and levels removed, added or taken from other files, other sizes."""
    own = json.loads(json.dumps(file.own))
    model = own["model"]
    table = dice.choice((model, model, *model["levels"], own))
    key = dice.choice(list(table))
    match dice.randrange(6):
        case 0:
            table[key] = _odd_value(dice)
        case 1:
            del table[key]
        case 2:
            table[dice.choice((key + "x", "", "conv_encoder", "patch_size", "ngram_orders"))] = dice.choice((table[key], _odd_value(dice)))
        case 3:
            model["levels"] = [dice.choice(model["levels"]) for _ in range(dice.choice((0, 1, 2, 3, 17, 18, 300)))]
        case 4:
            model["patching"] = dice.choice(("words", "fixed", "word", 3))
        case _:
            table |= {setting: dice.choice((1 << dice.randrange(31), 3 * dice.randrange(9))) for setting in dice.sample(list(table), 2)}
    return file.with_texts({}, own)


def _with_excess(file: ValidFile, dice: random.Random) -> bytes:
    """Larger than any model: context, tensors, dimensions, depth, long names and numbers."""
    name = dice.choice(list(file.entries))
    entry, own = dict(file.entries[name]), file.own | {"model": dict(file.own["model"])}
    match dice.randrange(6):
        case 0:
            own["model"]["max_seq_len"] = dice.choice((2**14, 2**21, 2**31))
        case 1:
            empty = '{"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}'
            return file.with_texts({f"empty {i}": f'"empty {i}": {empty}' for i in range(dice.choice((1, 10, 100, 3_000)))})
        case 2:
            entry["shape"] = [1] * dice.choice((7, 64, 65)) + entry["shape"]
        case 3:
            own["model"][dice.choice(list(own["model"]))] = "x" * dice.choice((1, 10, 10**4))
        case 4:
            deep = dice.choice((10, 60, 70, 20_000))
            return file.with_texts({}, metadata=json.dumps({"tavu": json.dumps(own)[:-1] + ', "deep": ' + "[" * deep + "]" * deep + "}"}))
        case _:
            entry["shape"] = [dice.choice((10**18, 10**19, 10**40, -(10**19))), *entry["shape"]]
    return file.with_texts({name: json.dumps({name: entry})[1:-1]}, own)


def _with_other_facts(file: ValidFile, dice: random.Random) -> bytes:
    """Facts of other types, which Python reads, with all kinds of characters and escapes."""
    facts = ("kind", "records", "features", "sources", "bytes_per_patch", "val_bpb", "record_bytes", "seconds", "train_bytes")
    own = file.own | {
        "facts": {fact: dice.choice((None, 3, -1.5, math.nan, "x", "ä\ud83d\udc3b\ud800", [], [None], {})) for fact in dice.sample(facts, 4)}
    }
    return file.with_texts({}, own)


def _odd_value(dice: random.Random) -> object:
    return dice.choice((None, True, -0.0, 1e300, math.inf, "", "I8", "\ud800\0", [], [[]], [1, 2, 3], [0], {}, {"a": 1}, *ODD_NUMBERS))


def fuzz(num_mutations: int, seed: int) -> None:
    from tavu.engine import library

    library.LIBRARY = Path(os.environ["TAVU_FUZZ_LIBRARY"])
    files, dice, outcomes = valid_files(), random.Random(seed), Counter[str]()
    engine = Engine(library.library())
    assert all(engine.run(file, file.header, {}, random.Random(0), cut=False) != "refused" for file in files)
    begun = time.perf_counter()
    with tempfile.TemporaryDirectory(dir="/dev/shm" if os.path.isdir("/dev/shm") else None) as folder:
        for i in range(num_mutations):
            file, header, noise = dice.choice(files), None, {}
            if dice.random() < 0.25:  # mutate the contents of weights, tables, names and spellings
                places = (dice.randrange(file.num_tensor_bytes) for _ in range(dice.randint(1, 200)))
                noise = {place: dice.choice((0, 1, 127, 129, 255, dice.randrange(256))) for place in places}
            else:
                header = mutated_header(file, dice)
            outcomes[engine.run(file, header or file.header, noise, dice, cut=dice.random() < 0.02)] += 1
            if header and i % THROUGH_PYTHON == 0:
                open_with_python(Path(folder) / "model", file, header)
            if i % 10_000 == 9_999:
                print(f"{i + 1:,} mutations, {(i + 1) / (time.perf_counter() - begun):,.0f} a second, {dict(outcomes)}", flush=True)
    print(json.dumps({"mutations": num_mutations, **outcomes, "seconds": round(time.perf_counter() - begun)}))


def open_with_python(path: Path, file: ValidFile, header: bytes) -> None:
    """Each file that Python or the engine refuses gets a sentence."""
    from tavu.engine.native import NativeEngine
    from tavu.errors import TavuError
    from tavu.stored_model import open_model

    path.write_bytes(struct.pack("<Q", len(header)) + header + file.memory[0][HEADER_ROOM:].tobytes())
    try:
        NativeEngine(open_model(path))
    except TavuError as error:
        assert "\n" not in str(error)


class Engine:
    """The sanitized library."""

    def __init__(self, library: ctypes.CDLL):
        import numpy as np

        from tavu.config import SamplingConfig
        from tavu.engine.native import NativeSampling

        self.library = library
        self.messages = [ctypes.create_string_buffer(size) for size in (1, 2, 80, 1000)]
        self.ids = np.array([256, *b"Once upon a bear\xff a"], dtype=np.int32)
        self.uniforms, self.out = np.random.default_rng(0).random((1, 4)), np.empty((1, 4), dtype=np.int32)
        self.bits, self.places = np.empty(3, dtype=np.float32), np.empty(3, dtype=np.int32)
        self.sampling = NativeSampling(SamplingConfig(temperature=1.0))
        self.ways = (ctypes.POINTER(type(self.sampling.structure)) * 1)(ctypes.pointer(self.sampling.structure))

    def run(self, file: ValidFile, header: bytes, noise: dict[int, int], dice: random.Random, *, cut: bool) -> str:
        """Try a file: it is refused, or opened and used to prefill, copy, generate and score. Returns the outcome."""
        offset = dice.randrange(2)
        memory, tensors = file.memory[offset], HEADER_ROOM + offset
        begin = tensors - len(header) - 8
        stated = (
            dice.choice((0, 7, 1 << 22, 1 << 63, len(header) - 1, len(header) + 1))
            if header is not file.header and dice.random() < 0.01
            else len(header)
        )
        struct.pack_into("<Q", memory, begin, stated)
        memory[begin + 8 : tensors] = memoryview(header)
        before = {place: memory[tensors + place] for place in noise}
        for place, byte in noise.items():
            memory[tensors + place] = byte
        if cut:
            copy = memory[begin : dice.randrange(begin, len(memory))].copy()
            outcome = self.open_and_use(copy.ctypes.data, len(copy), dice.choice(self.messages))
        else:
            outcome = self.open_and_use(memory.ctypes.data + begin, len(memory) - begin, dice.choice(self.messages))
        for place, byte in before.items():
            memory[tensors + place] = byte
        return outcome

    def open_and_use(self, address: int, size: int, message: "ctypes.Array[ctypes.c_char]") -> str:
        library = self.library
        engine = library.tavu_open(address, size, message, len(message))
        if not engine:
            assert len(message) < 1000 or (message.value.endswith(b".") and b"\n" not in message.value), message.value
            return "refused"
        row = library.tavu_row(engine)
        failed = library.tavu_read(engine, row, self.ids.ctypes.data, len(self.ids), 0, 1.0)
        copied = library.tavu_copy_row(engine, row)
        rows = (ctypes.c_void_p * 1)(copied)
        failed = failed or library.tavu_write(engine, ctypes.byref(rows), 1, 4, self.ways, self.uniforms.ctypes.data, self.out.ctypes.data, None)
        library.tavu_score(engine, self.ids.ctypes.data, 5, 2, self.bits.ctypes.data, self.places.ctypes.data, None)
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
