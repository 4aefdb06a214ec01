"""Generation speed on a CPU: tavu's engine and its peers, each in a separate process with one thread, alternating.

The tavu model is an argument. The peers have random weights, since speed does not depend on them: MEGABYTE-pytorch of about the same size, and a
Llama with six layers of 256 over 4,096 subwords of 3.96 bytes (those of BPE on TinyStories). The Llama is the rival of benchmarks/race.py. After the
same minutes of training it has more bits per byte than tavu's model, so its size is not chosen to make it slow. It runs in transformers with its
cache, in llama.cpp, and in onnxruntime.
Peers that are not installed are skipped. The last line is JSON, which --out also writes to a file.

    pip install -e '.[benchmarks]' llama-cpp-python gguf onnxruntime-genai onnx onnx-ir
    python benchmarks/decode.py stories --rounds 3 --out records/decode.json
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

BYTES_PER_TOKEN = 3.96
LAYERS, WIDTH, HEADS, MLP, VOCABULARY = 6, 256, 4, 704, 4096
PROMPT_BYTES, NUM_BYTES, BATCH = 16, 600, 64

Speeds = dict[str, float]


def timed(write: Callable[[int], int], batch: int) -> Speeds:
    """Bytes per second of one text and of a batch. `write` generates that many texts at once and returns their total bytes."""
    speeds = {}
    for name, count in (("one", 1), ("many", batch)):
        if count:
            write(1)
            begun = time.perf_counter()
            num_bytes = write(count)
            speeds[name] = num_bytes / (time.perf_counter() - begun)
    return speeds


def tavu_engine(file: str, folder: Path, engine: str) -> Speeds:
    from tavu.config import SamplingConfig
    from tavu.language_model import load

    model = load(file, engine=engine)  # type: ignore[arg-type]
    config = SamplingConfig(temperature=1.0, max_bytes=NUM_BYTES)
    return timed(lambda count: sum(len(text.content) for text in model.write("Once upon a time", config, count=count)), BATCH)


def megabyte_pytorch(file: str, folder: Path) -> Speeds:
    import torch
    from MEGABYTE_pytorch import MEGABYTE

    torch.set_num_threads(1)
    model = MEGABYTE(num_tokens=256, dim=(256, 128), depth=(6, 3), max_seq_len=(128, 4), heads=4, dim_head=64, flash_attn=False).eval()

    @torch.no_grad()
    def write(count: int) -> int:
        return model.generate().numel()

    begun = time.perf_counter()
    return {"one": write(1) / (time.perf_counter() - begun)}


def _llama() -> "object":
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    torch.set_num_threads(1)
    config = LlamaConfig(
        vocab_size=VOCABULARY,
        hidden_size=WIDTH,
        intermediate_size=MLP,
        num_hidden_layers=LAYERS,
        num_attention_heads=HEADS,
        max_position_embeddings=1024,
        tie_word_embeddings=False,
    )
    return LlamaForCausalLM(config).eval()


def transformers_llama(file: str, folder: Path) -> Speeds:
    import torch

    model, num_tokens = _llama(), round(NUM_BYTES / BYTES_PER_TOKEN)

    @torch.inference_mode()
    def write(count: int) -> int:
        ids = torch.ones(count, 4, dtype=torch.long)
        out = model.generate(ids, max_new_tokens=num_tokens, min_new_tokens=num_tokens, do_sample=True, pad_token_id=0, eos_token_id=None)
        return round((out.size(1) - 4) * count * BYTES_PER_TOKEN)

    return timed(write, BATCH)


def _gguf(path: Path, kind: str) -> None:
    """The weights of the Llama in llama.cpp's format, without a vocabulary."""
    import gguf
    import numpy as np

    quantized = gguf.GGMLQuantizationType[kind]
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_context_length(1024)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(MLP)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(HEADS)
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_rope_dimension_count(WIDTH // HEADS)
    writer.add_vocab_size(VOCABULARY)
    writer.add_tokenizer_model("none")
    dice = np.random.default_rng(0)

    def add(name: str, *shape: int) -> None:
        weight = dice.standard_normal(shape, dtype=np.float32) * 0.05
        if len(shape) == 1:
            writer.add_tensor(name, weight)
        else:
            writer.add_tensor(name, gguf.quants.quantize(weight, quantized), raw_dtype=quantized)

    add("token_embd.weight", VOCABULARY, WIDTH)
    add("output.weight", VOCABULARY, WIDTH)
    add("output_norm.weight", WIDTH)
    for i in range(LAYERS):
        for name in ("attn_norm", "ffn_norm"):
            add(f"blk.{i}.{name}.weight", WIDTH)
        for name in ("attn_q", "attn_k", "attn_v", "attn_output"):
            add(f"blk.{i}.{name}.weight", WIDTH, WIDTH)
        add(f"blk.{i}.ffn_gate.weight", MLP, WIDTH)
        add(f"blk.{i}.ffn_up.weight", MLP, WIDTH)
        add(f"blk.{i}.ffn_down.weight", WIDTH, MLP)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def llama_cpp(file: str, folder: Path, kind: str) -> Speeds:
    import ctypes

    import llama_cpp as lib

    path = folder / f"{kind}.gguf"
    if not path.exists():
        _gguf(path, kind)
    lib.llama_log_set(ctypes.cast(None, lib.llama_log_callback), None)
    lib.llama_backend_init()
    model = lib.llama_model_load_from_file(str(path).encode(), lib.llama_model_default_params())
    settings = lib.llama_context_default_params()
    settings.n_ctx, settings.n_threads, settings.n_threads_batch, settings.n_seq_max = 1024 * BATCH, 1, 1, BATCH
    context, num_tokens = lib.llama_init_from_model(model, settings), round(NUM_BYTES / BYTES_PER_TOKEN)

    def write(count: int) -> int:
        """Greedy decoding with the C interface, without the overhead of the Python wrapper."""
        lib.llama_memory_clear(lib.llama_get_memory(context), True)
        batch = lib.llama_batch_init(count, 0, 1)
        tokens = [1] * count
        for position in range(4 + num_tokens):
            batch.n_tokens = count
            for i in range(count):
                batch.token[i], batch.pos[i], batch.n_seq_id[i], batch.seq_id[i][0], batch.logits[i] = tokens[i], position, 1, i, 1
            assert lib.llama_decode(context, batch) == 0
            for i in range(count):  # reads the logits like a sampler; which token is drawn does not matter
                tokens[i] = 1 + int(lib.llama_get_logits_ith(context, i)[position % VOCABULARY] > 0)
        lib.llama_batch_free(batch)
        return round(num_tokens * count * BYTES_PER_TOKEN)

    return timed(write, BATCH)


def onnxruntime_llama(file: str, folder: Path, precision: str) -> Speeds:
    import onnxruntime_genai as lib
    from tokenizers import Tokenizer, models
    from transformers import PreTrainedTokenizerFast

    source, built = folder / "llama", folder / f"onnx-{precision}"
    if not built.exists():
        llama = _llama()
        llama.save_pretrained(source)
        llama.generation_config.save_pretrained(source)
        words = Tokenizer(models.WordLevel({str(i): i for i in range(VOCABULARY)}, unk_token="0"))  # the builder needs one
        PreTrainedTokenizerFast(tokenizer_object=words, unk_token="0", bos_token="1", eos_token="2").save_pretrained(source)
        build = [sys.executable, "-m", "onnxruntime_genai.models.builder", "-i", source, "-o", built, "-p", precision, "-e", "cpu"]
        products = ["--extra_options", "int4_accuracy_level=4"] if precision == "int4" else []  # integer products
        subprocess.run([*build, "-c", folder / "cache", *products], check=True, capture_output=True)
        settings = json.loads((built / "genai_config.json").read_text())
        settings["model"]["decoder"]["session_options"] |= {"intra_op_num_threads": 1, "inter_op_num_threads": 1}
        (built / "genai_config.json").write_text(json.dumps(settings))
    model, num_tokens = lib.Model(str(built)), round(NUM_BYTES / BYTES_PER_TOKEN)

    def write(count: int) -> int:
        """Greedy decoding, 32 texts at once, its maximum."""
        for first in range(0, count, 32):
            size = min(32, count - first)
            parameters = lib.GeneratorParams(model)
            parameters.set_search_options(min_length=4 + num_tokens, max_length=4 + num_tokens, batch_size=size)
            generator = lib.Generator(model, parameters)
            generator.append_tokens([[1, 1, 1, 1]] * size)
            for _ in range(num_tokens):
                generator.generate_next_token()
        return round(num_tokens * count * BYTES_PER_TOKEN)

    return timed(write, BATCH)


CONTENDERS: dict[str, Callable[[str, Path], Speeds]] = {
    "tavu engine, 16 bits": lambda file, folder: tavu_engine(file, folder, "native"),
    "tavu engine, 8 bits": lambda file, folder: tavu_engine(str(folder / "8.safetensors"), folder, "native"),
    "tavu engine, 4 bits": lambda file, folder: tavu_engine(str(folder / "4.safetensors"), folder, "native"),
    "tavu in PyTorch": lambda file, folder: tavu_engine(file, folder, "torch"),
    "MEGABYTE-pytorch": megabyte_pytorch,
    "Llama, transformers": transformers_llama,
    "Llama, llama.cpp Q8_0": lambda file, folder: llama_cpp(file, folder, "Q8_0"),
    "Llama, llama.cpp Q4_0": lambda file, folder: llama_cpp(file, folder, "Q4_0"),
    "Llama, onnxruntime, 32 bits": lambda file, folder: onnxruntime_llama(file, folder, "fp32"),
    "Llama, onnxruntime, 4 bits": lambda file, folder: onnxruntime_llama(file, folder, "int4"),
}


def peak_memory_mb() -> float:
    """Peak memory of this process. getrusage would report that of the parent if it was larger."""
    status = Path("/proc/self/status")
    if status.exists():
        return int(status.read_text().split("VmHWM:")[1].split()[0]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def run_one(name: str, file: str, folder: Path) -> None:
    """Measure one contender in this process, and print the result."""
    speeds = CONTENDERS[name](file, folder)
    print(json.dumps(speeds | {"memory_mb": peak_memory_mb()}))


def seconds_to_first_byte(file: str) -> float:
    """Seconds from starting the command to its first byte."""
    begun = time.perf_counter()
    command = [str(Path(sys.executable).with_name("tavu")), "generate", file, "Once", "--max-bytes", "1"]
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - begun


def cache_bandwidth() -> float:
    """Cache bandwidth of one thread in bytes per second, measured with dot products over 8 MB."""
    import numpy as np

    a = np.ones(1 << 20, dtype=np.float32)
    b = np.ones(1 << 20, dtype=np.float32)
    best = 0.0
    for _ in range(50):
        begun = time.perf_counter()
        np.dot(a, b)
        best = max(best, (a.nbytes + b.nbytes) / (time.perf_counter() - begun))
    return best


def draw(table: dict[str, Speeds], path: Path) -> None:
    """Plot bits per byte against bytes per second, for contenders with known bits per byte. The best are at the lower right."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 5), dpi=130, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot(xscale="log", xlabel="bytes a second, one text, one thread", ylabel="bits per byte of unseen text")
    for name, row in table.items():
        if "bpb" in row:
            is_ours = name.startswith("tavu")
            axes.plot(row["one"], row["bpb"], "o", color="C0" if is_ours else "C1")
            axes.annotate(name, (row["one"], row["bpb"]), xytext=(4, 4), textcoords="offset points", rotation=50, fontsize=9)
    axes.margins(0.2, 0.45)
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.grid(alpha=0.3, which="both")
    figure.savefig(path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="A tavu model, not quantized.")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", nargs="*", default=list(CONTENDERS))
    parser.add_argument("--bpb", action="append", default=[], metavar="NAME=BPB", help="Bits per byte of a contender, for the picture.")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--run", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"
    if arguments.run:
        run_one(arguments.run, arguments.model, arguments.folder)
        return
    from tavu.compression.quantize import quantize_file
    from tavu.stored_model import find_model

    measured: dict[str, list[Speeds]] = {name: [] for name in arguments.only}
    with tempfile.TemporaryDirectory() as name_of_folder:
        folder = Path(name_of_folder)
        sizes = {f"tavu engine, {bits} bits": quantize_file(arguments.model, folder / f"{bits}.safetensors", bits).file_bytes for bits in (8, 4)}
        sizes["tavu engine, 16 bits"] = find_model(arguments.model).stat().st_size
        for _ in range(arguments.rounds):
            for name in list(measured):
                command = [sys.executable, __file__, arguments.model, "--run", name, "--folder", str(folder)]
                done = subprocess.run(command, capture_output=True, text=True, check=False)
                if done.returncode:
                    print(f"{name}: skipped ({done.stderr.strip().splitlines()[-1] if done.stderr.strip() else done.returncode})", file=sys.stderr)
                    del measured[name]
                else:
                    measured[name].append(json.loads(done.stdout.splitlines()[-1]))
        sizes |= {f"Llama, llama.cpp {path.stem}": path.stat().st_size for path in folder.glob("*.gguf")}
        for bits, precision in ((32, "fp32"), (4, "int4")):
            sizes[f"Llama, onnxruntime, {bits} bits"] = sum(path.stat().st_size for path in folder.glob(f"onnx-{precision}/model.onnx*"))
        first_byte = statistics.median(seconds_to_first_byte(str(folder / "8.safetensors")) for _ in range(7))
    table = {
        name: {key: statistics.median(speeds[key] for speeds in runs) for key in runs[0]} | {"file_mb": sizes.get(name, 0) / 1e6}
        for name, runs in measured.items()
    }
    for name, _, bpb in (told.rpartition("=") for told in arguments.bpb):
        table[name]["bpb"] = float(bpb)
    print(f"{'':24} one text    {BATCH} texts      memory     file")
    for name, row in table.items():
        many = f"{row['many']:9,.0f}" if "many" in row else "        -"
        print(f"{name:24} {row['one']:8,.0f} {many} bytes/s  {row['memory_mb']:5,.0f} MB  {row['file_mb']:5.1f} MB")
    result = {"rounds": arguments.rounds, "table": table, "seconds_to_first_byte": first_byte, "cache_bandwidth": cache_bandwidth()}
    print(f"First byte from the shell after {first_byte:.2f} s (median of 7). The cache gives {result['cache_bandwidth'] / 1e9:.0f} GB/s.")
    if arguments.out:
        arguments.out.write_text(json.dumps(result, indent=1) + "\n")
        draw(table, arguments.out.with_suffix(".png"))
    print(json.dumps(result))


if __name__ == "__main__":
    main()
