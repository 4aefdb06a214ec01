"""Several processes that read the parts of a corpus at once. This file is both ends: `outcomes` here, and `python -m tavu.data.processes` there.

The standard library's process pools import the caller's main module again, which runs a script without a guard a second time, and fails in notebooks.
So each process is a Python of its own that imports only this. It gets jobs as lines of JSON on its standard input, and answers on its standard
output: the bytes read so far, then the outcome. It ends when its input does, so none outlives the process that started it, even if that is killed.
"""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Generator, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import IO

from tavu.config import DataConfig
from tavu.data.parts import Part, SourceReport
from tavu.data.spool import Advance, Job, Outcome, spool_job

MIN_JOBS = 4
"""Fewer jobs are done sooner in this process than in others, which take time to start."""
MAX_PROCESSES = 16
"""More read faster than a disk writes."""
_POLL_SECONDS = 0.1


def num_processes() -> int:
    """The processors that this process may use, at most MAX_PROCESSES."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(usable, MAX_PROCESSES)


def outcomes(jobs: Sequence[Job], data: DataConfig, folder: Path, advance: Advance) -> Generator[Outcome]:
    """The outcome of each job, in order. Raises OSError if a spool file cannot be written."""
    if num_processes() == 1 or len(jobs) < MIN_JOBS or not sys.executable or getattr(sys, "frozen", False):
        yield from (spool_job(job, data, folder, advance) for job in jobs)
        return
    processes = _Processes(jobs, data, folder, num_processes())
    try:
        yield from (processes.outcome(job, advance) for job in jobs)
    finally:
        processes.stop()


class _Processes:
    """Processes, each with a thread that hands it one job after another."""

    def __init__(self, jobs: Sequence[Job], data: DataConfig, folder: Path, number: int) -> None:
        self._data = data
        self._folder = folder
        self._waiting = iter(jobs)
        self._lock = threading.Lock()
        self._news: SimpleQueue[int | tuple[int, Outcome | OSError]] = SimpleQueue()
        """From the threads: bytes read, and the outcomes of jobs by their numbers."""
        self._done: dict[int, Outcome | OSError] = {}
        self._started = [_start() for _ in range(min(number, len(jobs)))]
        self._threads = [threading.Thread(target=self._serve, args=(process,), daemon=True) for process in self._started]
        for thread in self._threads:
            thread.start()

    def outcome(self, job: Job, advance: Advance) -> Outcome:
        """The outcome of a job. If its process died, or none could be started, the job is done here."""
        while job.number not in self._done:
            is_anyone_left = any(thread.is_alive() for thread in self._threads)
            try:
                news = self._news.get(timeout=_POLL_SECONDS)
            except Empty:
                if not is_anyone_left:
                    return spool_job(job, self._data, self._folder, advance)
                continue
            if isinstance(news, int):
                advance(news)
            else:
                self._done[news[0]] = news[1]
        outcome = self._done.pop(job.number)
        if isinstance(outcome, OSError):
            raise outcome
        return outcome

    def stop(self) -> None:
        for process in self._started:
            if process is not None:
                process.kill()
        for thread in self._threads:
            thread.join()

    def _serve(self, process: "subprocess.Popen[bytes] | None") -> None:
        if process is None:
            return
        assert process.stdin is not None and process.stdout is not None
        with suppress(OSError, ValueError), process:  # a process that was killed leaves a closed pipe, or half a line
            _send(process.stdin, {"data": asdict(self._data), "folder": os.fspath(self._folder)})
            while True:
                with self._lock:
                    job = next(self._waiting, None)
                if job is None:
                    return
                _send(process.stdin, asdict(job))
                while "read" in (answer := json.loads(process.stdout.readline())):
                    self._news.put(answer["read"])
                self._news.put((job.number, _outcome(answer)))


def _start() -> "subprocess.Popen[bytes] | None":
    """A process that reads jobs, with the import path of this one; None if it cannot be started."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(os.path.abspath(path) for path in sys.path)}
    # A group of its own: Ctrl-C goes to this process alone, which then stops the others.
    try:
        return subprocess.Popen(
            [sys.executable, "-P", "-m", "tavu.data.processes"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # what fails there is done again here, and then says why
            env=environment,
            process_group=0,
            creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),  # on Windows
        )
    except OSError:
        return None


def _send(stream: IO[bytes], value: object) -> None:
    stream.write(json.dumps(value).encode() + b"\n")
    stream.flush()


def _outcome(answer: dict) -> Outcome | OSError:
    if "errno" in answer:
        return OSError(answer["errno"], answer["strerror"])
    return Outcome(SourceReport(**answer["report"]), answer["error"])


def main() -> None:
    """Read jobs from standard input until it ends."""
    settings = json.loads(sys.stdin.buffer.readline())
    lists = {key: tuple(value) for key, value in settings["data"].items() if isinstance(value, list)}
    data, folder = DataConfig(**{**settings["data"], **lists}), Path(settings["folder"])
    answers = sys.stdout.buffer
    for line in sys.stdin.buffer:
        job = json.loads(line)
        parts = tuple(Part(**{**part, "field_names": part["field_names"] and tuple(part["field_names"])}) for part in job["parts"])
        try:
            outcome = spool_job(Job(job["number"], parts), data, folder, lambda num_bytes: _send(answers, {"read": num_bytes}))
            _send(answers, asdict(outcome))
        except BrokenPipeError:
            raise
        except OSError as fault:
            _send(answers, {"errno": fault.errno, "strerror": fault.strerror})


if __name__ == "__main__":
    with suppress(BrokenPipeError):  # the process that started this one was killed
        main()
