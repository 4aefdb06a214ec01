"""Load test of the server: clients connect and disconnect, some read slowly, some abort. Measures a single stream first, then all together.

    python benchmarks/serve_load.py stories --minutes 10

Starts `tavu serve` as a separate process and measures from outside: bytes per second of one stream and of all, the time to the first byte, errors,
each client's share, and the server's memory (Linux) at the end of each tenth. Every tenth text is also compared with the same text generated alone.
With --deaf 16, that many additional clients request as much as they can and never read it.
"""

import argparse
import asyncio
import contextlib
import json
import random
import socket
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import httpx

PROMPTS = ("Once upon a time", "The little cat", "One day, Tom and Mia", "It was raining, and", "")


@dataclass
class Seen:
    """What the clients measured in a period of time."""

    first_bytes: list[float] = field(default_factory=list)
    shares: Counter = field(default_factory=Counter)
    ways: Counter = field(default_factory=Counter)
    errors: list[str] = field(default_factory=list)


async def one_text(http: httpx.AsyncClient, seed: int, max_bytes: int, seen: Seen, client: int, way: str) -> str:
    """Read a stream the way a client does: whole, slowly, or aborting in the middle."""
    body = {"prompt": PROMPTS[seed % len(PROMPTS)], "seed": seed, "max_tokens": max_bytes, "stream": True, "temperature": 0.8}
    begun, text, done = time.perf_counter(), "", False
    async with http.stream("POST", "/v1/completions", json=body) as response:
        if response.status_code != 200:
            seen.errors.append(f"status {response.status_code}")
            return ""
        async for line in response.aiter_lines():
            if line == "data: [DONE]":
                done = True
            elif line:
                if not text:
                    seen.first_bytes.append(time.perf_counter() - begun)
                text += json.loads(line.removeprefix("data: "))["choices"][0]["text"]
                if way == "breaks off" and len(text) > 40:
                    return text
                if way == "slow":
                    await asyncio.sleep(0.02)
    if not done:
        seen.errors.append("a stream without its end")
    seen.shares[client] += len(text.encode())
    return text


async def client(http: httpx.AsyncClient, number: int, until: float, seen: Seen, max_bytes: int, kept: dict[int, str]) -> None:
    chance = random.Random(number)
    while time.perf_counter() < until:
        seed = chance.randrange(10**6)
        way = "whole" if number % 4 else chance.choice(("slow", "breaks off", "whole"))
        try:
            text = await one_text(http, seed, max_bytes, seen, number, way)
        except httpx.HTTPError as error:
            seen.errors.append(type(error).__name__)
            continue
        seen.ways[way] += 1
        if way == "whole" and seed % 10 == 0 and len(kept) < 20:
            kept[seed] = text
        if number % 4 == 0:
            await asyncio.sleep(chance.random() * 0.5)  # disconnect and reconnect


def memory_mb(process: subprocess.Popen) -> float:
    """Current memory of the server; NaN without /proc."""
    try:
        status = Path(f"/proc/{process.pid}/status").read_text()
    except OSError:
        return float("nan")
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS")) / 1024


async def measure(http: httpx.AsyncClient, server: subprocess.Popen, clients: int, seconds: float, max_bytes: int) -> dict:
    alone = Seen()
    await one_text(http, 0, max_bytes, Seen(), 0, "whole")  # warm-up
    begun = time.perf_counter()
    while time.perf_counter() - begun < min(10.0, seconds / 4):
        await one_text(http, len(alone.first_bytes), max_bytes, alone, 0, "whole")
    alone_rate = alone.shares.total() / (time.perf_counter() - begun)

    seen, memory, kept, all_begun = Seen(), [], {}, time.perf_counter()
    before = await written(http)
    until = all_begun + seconds
    running = [asyncio.create_task(client(http, i, until, seen, max_bytes, kept)) for i in range(clients)]
    for tenth in range(1, 11):
        await asyncio.sleep(max(0.0, all_begun + seconds * tenth / 10 - time.perf_counter()))
        memory.append(memory_mb(server))
        print(f"{tenth * 10} %: {sum(seen.ways.values())} texts, {len(seen.errors)} errors, {memory[-1]:.0f} MB", file=sys.stderr)
    rate = (await written(http) - before) / (time.perf_counter() - all_begun)
    await asyncio.gather(*running)
    differing = [seed for seed, text in kept.items() if await one_text(http, seed, max_bytes, Seen(), 0, "whole") != text]
    steady = [n for i, n in seen.shares.items() if i % 4]
    return {
        "alone_bytes_per_second": round(alone_rate),
        "together_bytes_per_second": round(rate),
        "first_byte_seconds": {"median": statistics.median(seen.first_bytes), "95 %": statistics.quantiles(seen.first_bytes, n=20)[-1]},
        "texts": dict(seen.ways),
        "errors": dict(Counter(seen.errors)),
        "held_against_alone": len(kept),
        "differing": len(differing),
        "least_share_of_steady_clients": round(min(steady) / statistics.mean(steady), 3),
        "memory_mb": [round(value) for value in memory],
        "memory_growth_after_first_tenth": round(memory[-1] / memory[0] - 1, 4),
    }


@contextlib.contextmanager
def deaf_clients(address: str, count: int) -> Iterator[None]:
    """Connections that request the longest streams and never read."""
    where, asked = urlsplit(address), {"stream": True, "n": 8, "max_tokens": 4096, "logprobs": True, "top_logprobs": 20, "temperature": 1}
    body = json.dumps(asked | {"messages": [{"role": "user", "content": PROMPTS[0]}]}).encode()
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    with contextlib.ExitStack() as open_ones:
        for _ in range(count):
            open_ones.enter_context(contextlib.closing(socket.create_connection((where.hostname, where.port)))).sendall(head + body)
        yield


async def written(http: httpx.AsyncClient) -> int:
    lines = (await http.get("/metrics")).text.splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("tavu_written_bytes_total"))


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--max-bytes", type=int, default=1000)
    parser.add_argument("--deaf", type=int, default=0)
    asked = parser.parse_args()
    command = [sys.executable, "-c", "from tavu.cli.main import main; main()", "serve", asked.model, "--port", "0", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as server:
        assert server.stdout
        address = json.loads(server.stdout.readline())["url"]
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=asked.clients)
        async with httpx.AsyncClient(base_url=address, timeout=60, limits=limits) as http:
            with deaf_clients(address, asked.deaf):
                result = await measure(http, server, asked.clients, asked.minutes * 60, asked.max_bytes)
            begun = time.perf_counter()
            await http.get("/healthz")
            result["healthy_after_deaf_left_seconds"] = round(time.perf_counter() - begun, 4)
        server.terminate()
        result["exit_status"] = server.wait(60)
    print(json.dumps(result))


if __name__ == "__main__":
    asyncio.run(main())
