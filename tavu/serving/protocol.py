"""What programs send and get: OpenAI's completions and chat completions, in bytes where it says tokens, checked at the border."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from tavu.config import INSIST, MAX_INSIST
from tavu.data.records import Request
from tavu.serving.limits import MAX_BYTES, MAX_CHOICES, MAX_PROMPT_CHARACTERS, MAX_PROMPTS, MAX_STOPS

Prompt = Annotated[str, Field(max_length=MAX_PROMPT_CHARACTERS)]
Phrase = Annotated[str, Field(min_length=1, max_length=200)]
Neutral = Annotated[float, Field(ge=0, le=0)]


class _Asked(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _whole_numbers(cls, values: Any) -> Any:
        """5.0 is 5: JSON makes no difference."""
        if not isinstance(values, dict):
            return values
        return {name: int(value) if isinstance(value, float) and value.is_integer() else value for name, value in values.items()}


class StoryRequest(_Asked):
    """What a story is to have, for a model that was taught to follow requests."""

    words: list[Phrase] = Field([], max_length=16)
    features: list[Phrase] = Field([], max_length=8)
    summary: str = Field("", max_length=2000)
    sentence: str = Field("", max_length=500, description="Occurs in the story as it is.")
    insist: float = Field(INSIST, ge=0, le=MAX_INSIST, description="How much it presses what was asked for; 1 is as it has learned.")

    def request(self) -> Request:
        return Request(tuple(self.words), tuple(self.features), self.summary, self.sentence)


class StreamOptions(_Asked):
    include_usage: bool | None = None
    include_obfuscation: bool | None = None


class _Sampled(_Asked):
    model: str | None = Field(None, description="The name that /v1/models tells; may be left out.")
    max_tokens: int | None = Field(None, ge=1, le=MAX_BYTES, description="The longest text, in bytes; 1024 if left out.")
    temperature: float | None = Field(None, ge=0, le=2, description="0 always takes the likeliest byte; 0.8 if left out.")
    top_p: float | None = Field(None, gt=0, le=1)
    top_k: int | None = Field(None, ge=1, le=257)
    min_p: float | None = Field(None, ge=0, lt=1)
    repetition_penalty: float | None = Field(None, ge=1, le=2)
    n: int | None = Field(None, ge=1, le=MAX_CHOICES, description="Texts to write; text i is what seed + i writes alone.")
    stop: Phrase | Annotated[list[Phrase], Field(max_length=MAX_STOPS)] | None = None
    seed: int | None = Field(None, ge=0, le=2**53 - 1, description="The same seed gives the same text.")
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    user: str | None = Field(None, description="Taken and forgotten.")
    frequency_penalty: Neutral | None = Field(None, description="Only 0: use repetition_penalty.")
    presence_penalty: Neutral | None = Field(None, description="Only 0: use repetition_penalty.")


class CompletionRequest(_Sampled):
    """Text that goes on from a prompt."""

    prompt: Prompt | Annotated[list[Prompt], Field(min_length=1, max_length=MAX_PROMPTS)] = ""
    request: StoryRequest | None = Field(None, description="tavu's own: the prompt is then the beginning of a story that has all this.")
    logprobs: int | None = Field(None, ge=0, le=5, description="Tell each byte's log-probability, and so many likelier ones.")


class Message(_Asked):
    role: Literal["system", "user", "assistant"]
    content: Prompt
    name: str | None = None


class ChatRequest(_Sampled):
    """An answer to a conversation; a model that was not taught to converse goes on from what the user said last."""

    messages: list[Message] = Field(min_length=1, max_length=64)
    max_completion_tokens: int | None = Field(None, ge=1, le=MAX_BYTES)
    logprobs: bool | None = None
    top_logprobs: int | None = Field(None, ge=0, le=20)


class Usage(BaseModel):
    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class CompletionLogprobs(BaseModel):
    tokens: list[str]
    token_logprobs: list[float]
    top_logprobs: list[dict[str, float]] | None
    text_offset: list[int]


class CompletionChoice(BaseModel):
    index: int
    text: str
    finish_reason: Literal["stop", "length"] | None
    logprobs: CompletionLogprobs | None


class Completion(BaseModel):
    id: str
    object: Literal["text_completion"]
    created: int
    model: str
    choices: list[CompletionChoice]
    usage: Usage


class TopByte(BaseModel):
    token: str
    logprob: float
    bytes: list[int]


class LoggedByte(TopByte):
    top_logprobs: list[TopByte]


class ChatLogprobs(BaseModel):
    content: list[LoggedByte]
    refusal: None


class Said(BaseModel):
    role: Literal["assistant"]
    content: str
    refusal: None


class ChatChoice(BaseModel):
    index: int
    message: Said
    finish_reason: Literal["stop", "length"] | None
    logprobs: ChatLogprobs | None


class ChatCompletion(BaseModel):
    id: str
    object: Literal["chat.completion"]
    created: int
    model: str
    choices: list[ChatChoice]
    usage: Usage


class ModelCard(BaseModel):
    id: str
    object: Literal["model"]
    created: int
    owned_by: str


class ModelList(BaseModel):
    object: Literal["list"]
    data: list[ModelCard]


class ErrorBody(BaseModel):
    message: str
    type: str
    param: str | None
    code: str | None


class ErrorAnswer(BaseModel):
    error: ErrorBody
