"""Convert an API request to a job: the bytes that the model reads, and the sampling settings."""

import secrets

from tavu.config import SamplingConfig
from tavu.generation import reads
from tavu.serving.errors import Refusal
from tavu.serving.limits import MAX_BYTES
from tavu.serving.protocol import ChatRequest, CompletionRequest
from tavu.serving.streams import Job
from tavu.stored_model import StoredModel

DEFAULT_BYTES = 1024
ROLES = {"developer": "system", "tool": "user", "function": "user"}
"""Roles that models are not trained on, each mapped to the nearest that they are."""


def completion_job(asked: CompletionRequest, stored: StoredModel, seconds: float) -> Job:
    """The job of a completion. Raises Refusal for a story request to a model that was not fine-tuned on them."""
    contents = [prompt.content for prompt in asked.prompt]
    if asked.request is None:
        verbatim = [bool(asked.echo) or prompt.is_ids for prompt in asked.prompt]
        read = [content if raw else reads.of_prompt(content, stored.records) for content, raw in zip(contents, verbatim, strict=True)]
    elif stored.records == "stories":
        read = [reads.of_request(asked.request.request()) + content for content in contents]
    else:
        advice = "Omit request and give a beginning as the prompt, or fine-tune it with `tavu finetune`"
        raise Refusal(409, f"This model was not fine-tuned to follow requests. {advice}.", "cannot_follow_requests", param="request")
    return Job(
        tuple(read),
        sampling(asked, asked.max_tokens, stored, asked.request.insist if asked.request else 1.0),
        asked.n or 1,
        asked.logprobs,
        seconds,
        echo=bool(asked.echo),
        starts_with_end=tuple(prompt.starts_with_end for prompt in asked.prompt),
        request=asked.request.request() if asked.request else None,
        openings=tuple(content.decode() for content in contents) if asked.request else (),
        writes=asked.max_tokens != 0,
    )


def chat_job(asked: ChatRequest, stored: StoredModel, seconds: float) -> Job:
    """The job of a chat completion. A model that was not fine-tuned on conversations continues the last user message."""
    messages = [{"role": ROLES.get(message.role, message.role), "content": message.content} for message in asked.messages]
    if stored.records == "chat":
        spoken = [message for message in messages if message["content"].strip()]
        read = reads.of_conversation(reads.latest_messages(spoken, stored.config.max_seq_len - 1))
    else:
        said = [message["content"] for message in messages if message["role"] == "user"]
        read = reads.of_prompt((said[-1] if said else "").encode(), stored.records)
    num_top = (asked.top_logprobs or 0) if asked.logprobs else None
    max_tokens = asked.max_tokens if asked.max_completion_tokens is None else asked.max_completion_tokens
    return Job((read,), sampling(asked, max_tokens, stored), asked.n or 1, num_top, seconds, writes=max_tokens != 0)


def sampling(asked: CompletionRequest | ChatRequest, max_tokens: int | None, stored: StoredModel, insist: float = 1.0) -> SamplingConfig:
    """How the texts are drawn; without a seed, one that nobody chose."""
    return SamplingConfig(
        temperature=SamplingConfig.temperature if asked.temperature is None else asked.temperature,
        top_k=asked.top_k,
        top_p=asked.top_p,
        min_p=asked.min_p,
        repetition_penalty=asked.repetition_penalty or SamplingConfig.repetition_penalty,
        max_bytes=_max_bytes(max_tokens),
        seed=secrets.randbelow(2**32) if asked.seed is None else asked.seed,
        stop=tuple(asked.stop or ()),
        valid_utf8=stored.facts.get("kind") != "bytes",
        used_bytes=stored.used_bytes,
        insist=insist,
    )


def _max_bytes(max_tokens: int | None) -> int:
    """The length limit of a text for a value of max_tokens.

    >>> _max_bytes(None), _max_bytes(-1), _max_bytes(100_000), _max_bytes(0)
    (1024, 4096, 4096, 1)
    """
    if max_tokens is None:
        return DEFAULT_BYTES
    return MAX_BYTES if max_tokens == -1 else min(max(max_tokens, 1), MAX_BYTES)
