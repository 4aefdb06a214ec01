"""An exported page in Chromium: the time from opening it to its first letter, its speed beside the native engine's in plain C, and its memory.

Each opening has a browser of its own. Page and native engine write the same stories in turn. The last line is JSON.

    python benchmarks/page.py --model stories
"""

import argparse
import json
import shutil
import statistics
import tempfile
import time
from pathlib import Path

from playwright.sync_api import Browser, CDPSession, Page, sync_playwright

from tavu.config import SamplingConfig
from tavu.engine.library import library
from tavu.engine.native import NativeEngine
from tavu.export.page import export_page
from tavu.generation.writing import write
from tavu.stored_model import open_model

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
PROMPT = "Once upon a time"
BEGIN_AT_ONCE = """
new MutationObserver(() => {
  const begin = document.getElementById("begin");
  if (!begin || begin.disabled || window.begun) return;
  window.begun = performance.now();
  document.getElementById("pace").value = "full";
  new MutationObserver(() => { window.first ??= performance.now(); }).observe(document.getElementById("text"), { childList: true });
  begin.click();
}).observe(document, { subtree: true, childList: true, attributes: true });
"""
WRITE = """
([prompt, seeds]) => new Promise((resolve) => {
  const begun = performance.now();
  let bytes = 0, next = 0;
  const ask = () => worker.postMessage({ id: -1 - seeds[next], prompt, options: { seed: seeds[next++] } });
  worker.addEventListener("message", function listen({ data }) {
    if (!(data.id < 0)) return;
    if (data.letters) bytes += new TextEncoder().encode(data.letters.map(({ character }) => character).join("")).length;
    else if (next < seeds.length) ask();
    else { worker.removeEventListener("message", listen); resolve([bytes, (performance.now() - begun) / 1000]); }
  });
  ask();
})
"""
"""Stories in the page's own worker: their bytes, and the seconds that they took."""


def first_letter(browser: Browser, path: Path) -> dict[str, float]:
    """Seconds from the navigation to the model being open, and to the first letter."""
    page = browser.new_page()
    page.add_init_script(BEGIN_AT_ONCE)
    page.goto(path.as_uri())
    page.wait_for_selector("#ended:not(:empty)")
    return {"open": page.evaluate("begun") / 1000, "first_letter": page.evaluate("first") / 1000}


def opened(browser: Browser, path: Path) -> Page:
    page = browser.new_page()
    page.goto(path.as_uri())
    page.wait_for_selector("#begin:enabled")
    return page


def speed(page: Page, engine: NativeEngine, rounds: int) -> dict[str, float]:
    """Bytes a second, the median of rounds in turn."""
    speeds = {"page": list[float](), "native_plain_c": list[float](), "native": list[float]()}
    for number in range(rounds + 1):
        seeds = list(range(10 * number, 10 * number + 10))
        num_bytes, seconds = page.evaluate(WRITE, [PROMPT, seeds])
        found = {"page": num_bytes / seconds}
        for name, kernels in (("native_plain_c", [0]), ("native", range(4))):
            for which in kernels:
                library().tavu_use_kernels(which)  # the last that this processor has
            begun = time.perf_counter()
            written = [write(engine, PROMPT.encode(), SamplingConfig(seed=seed))[0] for seed in seeds]
            found[name] = sum(len(one.content) for one in written) / (time.perf_counter() - begun)
        for name, value in found.items():
            speeds[name] += [value] if number else []  # the first round warms up
    return {name: round(statistics.median(values)) for name, values in speeds.items()}


def renderer_megabytes(session: CDPSession) -> float:
    """The memory of the largest renderer, as /proc has it."""
    processes = [process["id"] for process in session.send("SystemInfo.getProcessInfo")["processInfo"] if process["type"] == "renderer"]
    sizes = [int(Path(f"/proc/{number}/statm").read_text().split()[1]) * 4096 for number in processes]
    return round(max(sizes) / 1e6, 1)


def memory(browser: Browser, page: Page) -> list[float]:
    """MB after each ten of fifty stories."""
    own, whole = page.context.new_cdp_session(page), browser.new_browser_cdp_session()
    sizes = []
    for tens in range(5):
        page.evaluate(WRITE, [PROMPT, list(range(10 * tens, 10 * tens + 10))])
        own.send("HeapProfiler.collectGarbage")
        sizes.append(renderer_megabytes(whole))
    return sizes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="stories")
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args()
    stored = open_model(asked.model)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as started:
        path = export_page(stored.file, Path(folder) / "page.html").out
        options = {"executable_path": CHROMIUM, "args": ["--no-sandbox"]}
        openings = []
        for _ in range(asked.rounds):
            with started.chromium.launch(**options) as browser:
                openings.append(first_letter(browser, path))
        with started.chromium.launch(**options) as browser:
            page = opened(browser, path)
            speeds = speed(page, NativeEngine(stored), asked.rounds)
            sizes = memory(browser, page)
        result = {"file_bytes": path.stat().st_size, "openings_seconds": openings, "bytes_per_second": speeds, "renderer_mb_each_ten_stories": sizes}
    print(json.dumps(result))


if __name__ == "__main__":
    main()
