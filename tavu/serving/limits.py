"""Limits per request and per server."""

from dataclasses import dataclass

MAX_PROMPT_BYTES = 65_536
"""Per prompt, or per message of a conversation."""
MAX_PROMPTS = 32
MAX_CHOICES = 8
"""Texts per prompt."""
MAX_TEXTS = 32
"""Texts per request: prompts times choices."""
MAX_BYTES = 4096
"""The longest text. Larger values of max_tokens are reduced to it."""
MAX_STOPS = 4


@dataclass(frozen=True)
class Limits:
    """The limits of a server. The defaults suit a laptop."""

    streams: int = 32
    """Texts that are generated at once, as one batch."""
    queue: int = 128
    """Texts that may wait. When the queue is full, requests are answered with 429."""
    seconds: float = 120.0
    """Time limit of a request, waiting included. The response is what was generated until then."""
    unread_bytes: int = 1024
    """Bytes of a request that its client has not read yet. Beyond that, its texts are paused."""
    body_bytes: int = 512 * 1024
    head_seconds: float = 10.0
    """Time for a client to send the request head, and again for the body."""
    write_seconds: float = 20.0
    """Time for a client to read a full connection buffer before it is disconnected."""
    shutdown_seconds: int = 20
    """Time for texts in progress to end when the server shuts down."""
    connections: int = 512
    connections_of_one: int = 256
    """Connections from one address."""
