"""What a server counts of itself, for Prometheus; numbers only, nothing of what anybody wrote."""

import prometheus_client
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

CONTENT_TYPE = prometheus_client.CONTENT_TYPE_LATEST


class Metrics:
    """The counters of one server; any thread may add to them."""

    def __init__(self) -> None:
        prometheus_client.disable_created_metrics()  # the time at which each counter began would double the page
        self._registry = CollectorRegistry()
        self.requests = Counter("tavu_requests", "Requests answered, by path and status.", ["path", "status"], registry=self._registry)
        self.texts = Counter("tavu_texts", "Texts written, by how they ended.", ["stopped"], registry=self._registry)
        self.read_bytes = Counter("tavu_read_bytes", "Bytes of prompts read.", registry=self._registry)
        self.written_bytes = Counter("tavu_written_bytes", "Bytes written.", registry=self._registry)
        self.first_byte_seconds = Histogram(
            "tavu_first_byte_seconds",
            "From a request to the first byte of its text.",
            buckets=(0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0),
            registry=self._registry,
        )
        self._writing = Gauge("tavu_texts_writing", "Texts that are being written now.", registry=self._registry)
        self._waiting = Gauge("tavu_texts_waiting", "Texts that wait for a place now.", registry=self._registry)

    def page(self, *, writing: int, waiting: int) -> bytes:
        """All of them in Prometheus' text format, and how many texts are being written and wait now."""
        self._writing.set(writing)
        self._waiting.set(waiting)
        return generate_latest(self._registry)
