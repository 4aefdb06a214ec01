"""How much one client may ask for, and how many are served at once."""

from dataclasses import dataclass

MAX_PROMPT_BYTES = 65_536
"""Of one prompt, or one message of a conversation."""
MAX_PROMPTS = 32
MAX_CHOICES = 8
"""Texts to one prompt."""
MAX_TEXTS = 32
"""Of one request: its prompts times its choices."""
MAX_BYTES = 4096
"""Of one text; a client that asks for more gets so many."""
MAX_STOPS = 4


@dataclass(frozen=True)
class Limits:
    """What a server keeps within; the defaults suit a laptop."""

    streams: int = 32
    """Texts that are written at once: they share each pass over the weights."""
    queue: int = 128
    """Texts that may wait for a place; beyond it a client is told to come again later."""
    seconds: float = 120.0
    """For one request, its wait included; what is written by then is the answer."""
    unread_bytes: int = 1024
    """Of a request's texts that may wait for its client to read them, before they stop growing."""
    body_bytes: int = 512 * 1024
    head_seconds: float = 10.0
    """For a client to send its request's head, and as long again for its body."""
    write_seconds: float = 20.0
    """For a client to read what a connection's buffer holds; it is cut off when it does not."""
    shutdown_seconds: int = 20
    """That texts under way have to end when the server is told to stop."""
    connections: int = 512
    connections_of_one: int = 256
    """From one address."""
