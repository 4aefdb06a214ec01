"""What a server counts of itself, in Prometheus' text format; numbers only, nothing of what anybody wrote."""

from collections import Counter

FIRST_BYTE_SECONDS = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)
_HELP = {
    "requests_total": "Requests answered, by path and status.",
    "texts_total": "Texts written, by how they ended.",
    "read_bytes_total": "Bytes of prompts read.",
    "written_bytes_total": "Bytes written.",
}


class Metrics:
    """Counters of one server. Each is added to by one thread alone."""

    def __init__(self) -> None:
        self._counts: dict[str, Counter[str]] = {name: Counter() for name in _HELP}
        self._first_bytes: Counter[float] = Counter()
        self._first_byte_sum = 0.0

    def count(self, name: str, amount: int = 1, labels: str = "") -> None:
        self._counts[name][labels] += amount

    def first_byte(self, seconds: float) -> None:
        """Note how long a text waited for its first byte."""
        self._first_byte_sum += seconds
        self._first_bytes[next((edge for edge in FIRST_BYTE_SECONDS if seconds <= edge), float("inf"))] += 1

    def text(self, *, writing: int, waiting: int) -> str:
        """All of them, and how many texts are being written and wait now."""
        lines = []
        for name, help in _HELP.items():
            lines += [f"# HELP tavu_{name} {help}", f"# TYPE tavu_{name} counter"]
            lines += [
                f"tavu_{name}{{{labels}}} {n}" if labels else f"tavu_{name} {n}" for labels, n in sorted((self._counts[name] or {"": 0}).items())
            ]
        for name, value in (("texts_writing", writing), ("texts_waiting", waiting)):
            lines += [f"# TYPE tavu_{name} gauge", f"tavu_{name} {value}"]
        lines += ["# HELP tavu_first_byte_seconds From a request to its text's first byte.", "# TYPE tavu_first_byte_seconds histogram"]
        total = 0
        for edge in (*FIRST_BYTE_SECONDS, float("inf")):
            total += self._first_bytes[edge]
            lines.append(f'tavu_first_byte_seconds_bucket{{le="{"+Inf" if edge == float("inf") else edge}"}} {total}')
        return "\n".join([*lines, f"tavu_first_byte_seconds_sum {self._first_byte_sum:.6f}", f"tavu_first_byte_seconds_count {total}", ""])
