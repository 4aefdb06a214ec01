"""tavu explain: an HTML page that shows a model's predictions, byte by byte."""

from pathlib import Path
from typing import Annotated

import typer


def explain(
    model: Annotated[Path, typer.Argument(help="A model file or run folder.")],
    prompt: Annotated[str, typer.Option(help="The text to explain, or its beginning.")],
    write: Annotated[int, typer.Option(help="Also generate this many bytes after the prompt, and explain them.")] = 0,
    out: Annotated[Path, typer.Option(help="The HTML page to write.")] = Path("explained.html"),
    seed: Annotated[int, typer.Option(help="With --write: the random seed.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON on the last line.")] = False,
) -> None:
    """Write an HTML page that explains a model's predictions at each byte of a text.

    It shows the surprise of each byte as color, the likeliest alternatives, the patches, and what the model attended to.

    Example: tavu explain runs/stories --prompt "Once upon a time, there was a dragon." --out explained.html
    """
    from dataclasses import asdict

    from tavu.cli.evaluate import SEARCHED_BYTES, training_text
    from tavu.cli.json_line import print_json_line
    from tavu.config import SamplingConfig, check
    from tavu.evaluation.explain import explain as explain_text
    from tavu.files import check_writable
    from tavu.language_model import load
    from tavu.reports.explain_page import write_explain_page

    check(write >= 0, "write", write, "0 or more.")
    check_writable(out, ".html")
    loaded = load(model)
    begin = prompt.encode(errors="surrogateescape")
    more = loaded.write(begin, SamplingConfig(max_bytes=write, seed=seed, valid_utf8=loaded.is_text))[0].content if write else b""
    explanation = explain_text(loaded.network, begin + more, len(begin), training_text(loaded.path.parent, SEARCHED_BYTES))
    write_explain_page(explanation, str(model), out)
    bits = sum(byte.bits for byte in explanation.bytes) / len(explanation.text)
    if as_json:
        print_json_line(
            {
                "page": str(out),
                "bits_per_byte": bits,
                "bytes": [asdict(byte) for byte in explanation.bytes],
                "patches": [asdict(patch) for patch in explanation.patches],
            }
        )
        return
    print(f"{out}: {bits:.3f} bits per byte. Open it in a browser.")
