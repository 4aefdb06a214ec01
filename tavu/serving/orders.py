"""From what a program asks to what the model reads, and how its texts are drawn."""

import secrets

from tavu.config import SamplingConfig
from tavu.data.records import MARK, chat_prompt, read_for
from tavu.serving.growing import Order
from tavu.serving.guard import Refusal
from tavu.serving.protocol import ChatRequest, CompletionRequest
from tavu.stored_model import StoredModel

DEFAULT_BYTES, DEFAULT_TEMPERATURE = 1024, 0.8


def completion_order(asked: CompletionRequest, stored: StoredModel, seconds: float) -> Order:
    """Raises Refusal when a story to order is asked of a model that was not taught to follow requests."""
    prompts = [asked.prompt] if isinstance(asked.prompt, str) else asked.prompt
    if asked.request is None:
        reads = tuple(read_for(prompt.encode(), stored.records) for prompt in prompts)
    elif stored.records == "stories":
        reads = tuple(asked.request.request().prompt().encode() + MARK + prompt.encode() for prompt in prompts)
    else:
        advice = "Leave out request, and give a beginning as the prompt, or teach it with `tavu finetune`"
        raise Refusal(409, f"This model was not taught to follow requests. {advice}.", "cannot_follow_requests")
    insist = asked.request.insist if asked.request else 1.0
    return Order(reads, sampling(asked, asked.max_tokens, stored, insist), asked.n or 1, asked.logprobs, seconds)


def chat_order(asked: ChatRequest, stored: StoredModel, seconds: float) -> Order:
    """Of a model that was not taught to converse, the user's last message is the beginning that it goes on from."""
    if stored.records == "chat":
        read = chat_prompt([{"role": message.role, "content": message.content} for message in asked.messages]).encode() + MARK
    else:
        said = [message.content for message in asked.messages if message.role == "user"]
        read = read_for((said[-1] if said else "").encode(), stored.records)
    num_top = (asked.top_logprobs or 0) if asked.logprobs else None
    return Order((read,), sampling(asked, asked.max_completion_tokens or asked.max_tokens, stored), asked.n or 1, num_top, seconds)


def sampling(asked: CompletionRequest | ChatRequest, max_bytes: int | None, stored: StoredModel, insist: float = 1.0) -> SamplingConfig:
    """How the texts are drawn; without a seed, one that nobody chose."""
    return SamplingConfig(
        temperature=DEFAULT_TEMPERATURE if asked.temperature is None else asked.temperature,
        top_k=asked.top_k,
        top_p=asked.top_p,
        min_p=asked.min_p,
        repetition_penalty=asked.repetition_penalty or 1.0,
        max_bytes=max_bytes or DEFAULT_BYTES,
        seed=secrets.randbelow(2**32) if asked.seed is None else asked.seed,
        stop=(asked.stop,) if isinstance(asked.stop, str) else tuple(asked.stop or ()),
        valid_utf8=stored.facts.get("kind") != "bytes",
        insist=insist,
    )
