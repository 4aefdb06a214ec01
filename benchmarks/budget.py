"""Check that a training run takes as long as its time budget: the budget, the time taken, and the share spent in steps, for several texts.

Each run is a separate process with one thread and an empty cache, so that it reads its text again. The last line is JSON.

    python benchmarks/budget.py small.txt stories.txt --records instruct.jsonl --minutes 0.5 2
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def measure(source: Path, minutes: float, *, is_records: bool) -> dict[str, float | str | int]:
    with tempfile.TemporaryDirectory() as scratch:
        command = [sys.executable, "-m", "tavu", "train", str(source.resolve()), "--minutes", str(minutes), "--out", "run", "--json"]
        environment = os.environ | {"TAVU_CACHE": f"{scratch}/cache", "OMP_NUM_THREADS": "1"}
        begun = time.monotonic()
        ended = subprocess.run([*command, *(["--records"] if is_records else [])], cwd=scratch, env=environment, capture_output=True, text=True)
        taken = time.monotonic() - begun
        if ended.returncode:
            raise SystemExit(ended.stderr)
        told = json.loads(ended.stdout.splitlines()[-1])
        rows = [json.loads(line) for line in Path(scratch, "run/metrics.jsonl").read_text().splitlines()]
    in_steps, seen = 0.0, 0
    for row in rows:
        if row["event"] == "train":  # of the steps since the previous line
            in_steps += (row["bytes_seen"] - seen) / row["bytes_per_second"]
            seen = row["bytes_seen"]
    return {
        "source": source.name,
        "asked_seconds": 60 * minutes,
        "training_seconds": round(told["whole_seconds"], 1),
        "taken_seconds": round(taken, 1),
        "share_in_steps": round(in_steps / (60 * minutes), 2),
        "steps": told["steps"],
        "val_bpb": round(told["val_bpb"], 4),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sources", nargs="*", type=Path)
    parser.add_argument("--records", nargs="*", type=Path, default=[])
    parser.add_argument("--minutes", nargs="+", type=float, default=[0.5, 2.0])
    asked = parser.parse_args()
    results = []
    for source in (*asked.sources, *asked.records):
        for minutes in asked.minutes:
            results.append(measure(source, minutes, is_records=source in asked.records))
            print(results[-1], file=sys.stderr, flush=True)
    print(json.dumps(results))


if __name__ == "__main__":
    main()
