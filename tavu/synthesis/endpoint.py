"""One question to an endpoint with OpenAI's API (Ollama, llama.cpp, vLLM, a cloud service): its answer, or what went wrong and when to ask again.

The key is read from the environment, and no sentence of ours contains it.
"""

import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from tavu.errors import TavuError, shortened

if TYPE_CHECKING:
    from openai import APIStatusError, AsyncOpenAI

KEY = "OPENAI_API_KEY"
BYTES_PER_TOKEN = 4
"""For endpoints that do not count tokens."""
BUSY = (408, 409, 429)
"""The statuses below 500 after which the same question may be asked again."""


@dataclass(frozen=True)
class Answer:
    text: str
    is_cut: bool
    """Whether it ended at the limit of tokens."""
    tokens_read: int
    tokens_written: int
    are_counted: bool
    """Whether the endpoint counted the tokens; otherwise they are estimated from the bytes."""


@dataclass(frozen=True)
class Failure:
    """A question without an answer, to be asked again."""

    reason: str
    retry_after: float | None = None
    """The number of seconds that the endpoint asks to wait, if it does."""


class Endpoint:
    """An endpoint and its model. Use it within one event loop, and close it."""

    def __init__(self, url: str, model: str, *, temperature: float, max_tokens: int, timeout: float):
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise TavuError(f"--endpoint is {shortened(url)!r}, expected an address such as http://localhost:11434/v1.")
        if parts.username or parts.password or parts.query:
            raise TavuError(f"--endpoint has a user, a password or a query, expected a plain address. Put the key into the variable {KEY}.")
        key = os.environ.get(KEY) or "none"
        if not re.fullmatch(r"[!-~]+", key):
            raise TavuError(f"{KEY} contains a space, a line break or a character that is not ASCII, so it cannot be sent. Set it anew.")
        self.url, self.model, self._key = url, model, key
        self._temperature, self._max_tokens, self._timeout = temperature, max_tokens, timeout
        self._client = self._connected()

    def _connected(self) -> "AsyncOpenAI":
        try:
            from openai import AsyncOpenAI
        except ImportError:
            raise TavuError('The endpoint needs the openai library, which is not installed. Install it: pip install "tavu[synthesize]"') from None
        return AsyncOpenAI(base_url=self.url, api_key=self._key, timeout=self._timeout, max_retries=0)

    async def close(self) -> None:
        await self._client.close()

    async def ask(self, prompt: str, seed: int) -> Answer | Failure:
        """The answer to a prompt. Raises TavuError if the endpoint refuses for good, e.g. because of the key or the model's name."""
        from openai import APIConnectionError, APIStatusError, APITimeoutError, OpenAIError

        try:
            completion = await self._client.chat.completions.create(
                model=self.model,
                messages=[{"role": "user", "content": prompt}],
                temperature=self._temperature,
                max_tokens=self._max_tokens,
                seed=seed,
            )
            choice = completion.choices[0]
            text, usage = choice.message.content or "", completion.usage
            if not isinstance(text, str):
                raise TypeError
            counts = (usage.prompt_tokens, usage.completion_tokens) if usage else [len(t.encode()) // BYTES_PER_TOKEN for t in (prompt, text)]
            return Answer(self._without_key(text), choice.finish_reason == "length", int(counts[0]), int(counts[1]), usage is not None)
        except APITimeoutError:
            return Failure(f"did not answer within {self._timeout:g} s")
        except APIConnectionError:
            return Failure("cannot be reached, or closed the connection")
        except APIStatusError as error:
            return self._refused(error)
        except (OpenAIError, AttributeError, IndexError, TypeError, ValueError):
            return Failure("does not answer like OpenAI's API (does the address end in /v1?)")

    def _refused(self, error: "APIStatusError") -> Failure:
        """A Failure if the endpoint is busy or out of order. Raises TavuError otherwise."""
        status = error.status_code
        if status >= 500 or status in BUSY:
            return Failure(f"answered with status {status}", _seconds(error.response.headers.get("retry-after")))
        said = shortened(self._without_key(" ".join(str(error.message).split())))
        advice = {401: f"Set {KEY} to a valid key.", 403: f"Set {KEY} to a valid key.", 404: "Does the address end in /v1, and is --model right?"}
        raise TavuError(
            f"{self.url} refused with status {status}: {said.rstrip('.')}. {advice.get(status, 'Change the options, then repeat the command.')}"
        ) from None

    def _without_key(self, text: str) -> str:
        return text if self._key == "none" else text.replace(self._key, "[key]")


def _seconds(header: str | None) -> float | None:
    """A Retry-After header in seconds; dates, which are rare, are ignored."""
    try:
        return max(0.0, float(header or ""))
    except ValueError:
        return None
