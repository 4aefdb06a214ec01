"""Sources -> a spool of their documents, read by several processes, with the notes and errors of reading one document after another."""

from collections.abc import Callable, Sequence
from contextlib import closing
from itertools import count
from pathlib import Path

from tavu.config import DataConfig
from tavu.data.parts import Part, SourceReport, max_unpacked_bytes
from tavu.data.processes import outcomes
from tavu.data.ranges import grouped, parts_of_file, parts_of_tales
from tavu.data.sources import Located, check_read
from tavu.data.spool import Job, Outcome, Spool, joined, spool_job
from tavu.errors import TavuError

Progress = Callable[[int, int | None], None]
"""Called with (bytes done, total bytes); the total is None when it is not known."""


def read_sources(
    folder: Path, data: DataConfig, train: Sequence[Located], valid: Sequence[Located], progress: Progress | None
) -> tuple[Spool, SourceReport]:
    """Write the documents of all sources to a spool in `folder`.

    Raises TavuError for the first bad document, unless data.skip_bad, and for a source without documents; OSError if the disk is full.
    """
    sources = list(zip((*data.sources, *data.valid), (*train, *valid), strict=True))
    numbers = count()
    jobs = [[Job(next(numbers), parts) for parts in grouped(_parts(place, data))] for _, place in sources]
    whole, kept, num_train = SourceReport(), [], 0
    bar = _Progress(progress, None if any(place.num_tales for _, place in sources) else [file for _, place in sources for file in place.files])
    with closing(outcomes([job for of_source in jobs for job in of_source], data, folder, bar)) as results:
        for index, (name, place) in enumerate(sources):
            report = SourceReport()
            for job in jobs[index]:
                outcome = next(results)
                is_rest = bool(job.parts[0].path and job.parts[0].begin)
                if not is_rest:
                    report.rows, report.unpacked_bytes = 0, 0
                elif report.is_cut_short:  # reading the file one document after another would not have come here
                    continue
                elif _depends_on_before(job, outcome, report, data):
                    outcome = spool_job(job, data, folder, lambda num_bytes: None, before=report)
                if outcome.error is not None:
                    raise TavuError(outcome.error)
                report.add(outcome.report)
                kept.append(job.number)
            check_read(name, place, data, report.documents, report.num_matches, report.first_reason)
            whole.add(report)
            num_train = len(kept) if index < len(data.sources) else num_train
    bar.finish()
    return joined(folder, kept, num_train), whole


def _parts(place: Located, data: DataConfig) -> list[Part]:
    if place.num_tales:
        return parts_of_tales(place.num_tales, place.num_plots)
    return [part for file in place.files for part in parts_of_file(file, data)]


def _depends_on_before(job: Job, outcome: Outcome, before: SourceReport, data: DataConfig) -> bool:
    """Whether reading this range of a file again, after what came before it in the file, may give something else: an error with another row number,
    or too many bytes of one file."""
    most = max_unpacked_bytes(Path(job.parts[0].path), data)
    has_errors = outcome.error is not None or outcome.report.skipped > 0
    return (has_errors and before.rows > 0) or before.unpacked_bytes + outcome.report.unpacked_bytes > most


class _Progress:
    """Adds up the bytes that the processes read."""

    def __init__(self, callback: Progress | None, files: Sequence[Path] | None) -> None:
        self._callback = callback
        self._total = None if files is None else sum(file.stat().st_size for file in files)
        self._num_bytes = 0

    def __call__(self, num_bytes: int) -> None:
        self._num_bytes += num_bytes
        self._report(self._num_bytes if self._total is None else min(self._num_bytes, self._total))

    def finish(self) -> None:
        self._report(self._num_bytes if self._total is None else self._total)

    def _report(self, num_bytes: int) -> None:
        if self._callback:
            self._callback(num_bytes, self._total)
