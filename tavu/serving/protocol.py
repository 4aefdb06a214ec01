"""What programs send and get: OpenAI's completions and chat completions, in bytes where it says tokens, checked at the border."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema, model_validator
from pydantic_core import PydanticCustomError

from tavu.config import INSIST, MAX_INSIST, SamplingConfig
from tavu.data.records import Request
from tavu.serving.limits import MAX_BYTES, MAX_CHOICES, MAX_STOPS, MAX_TEXTS
from tavu.serving.prompts import Content, Prompts
from tavu.serving.unserved import asks_for_nothing
from tavu.vocabulary import END

Phrase = Annotated[str, Field(min_length=1, max_length=200)]
_PHRASE = {"type": "string", "minLength": 1, "maxLength": 200}
Stops = Annotated[
    list[Phrase],
    Field(max_length=MAX_STOPS),
    BeforeValidator(lambda value: [value] if isinstance(value, str) else value),
    WithJsonSchema({"anyOf": [_PHRASE, {"type": "array", "items": _PHRASE, "maxItems": MAX_STOPS}]}),
]


def _whole(value: Any) -> Any:
    """5 for 5.0, also in lists.

    >>> _whole([5.0, [5.5, "5.0"]])
    [5, [5.5, '5.0']]
    """
    if isinstance(value, list):
        return [_whole(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


class _Asked(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _as_it_was_meant(cls, values: Any) -> Any:
        """Leave out what is not served and asks for nothing; and 5.0 is 5: JSON makes no difference."""
        if not isinstance(values, dict):
            return values
        kept = {name: value for name, value in values.items() if name in cls.model_fields or not asks_for_nothing(name, value)}
        return {name: _whole(value) for name, value in kept.items()}


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


class _Sampled(_Asked):
    model: str | None = Field(None, description="The name that /v1/models tells; may be left out.")
    max_tokens: int | None = Field(
        None, ge=-1, description=f"The longest text, in bytes; 1024 if left out, {MAX_BYTES:,} for all that is more, or -1. 0 writes nothing."
    )
    temperature: float | None = Field(None, ge=0, le=2, description=f"0 always takes the likeliest byte; {SamplingConfig.temperature} if left out.")
    top_p: float | None = Field(None, gt=0, le=1)
    top_k: int | None = Field(None, ge=1, le=257)
    min_p: float | None = Field(None, ge=0, lt=1)
    repetition_penalty: float | None = Field(None, ge=1, le=2)
    n: int | None = Field(None, ge=1, le=MAX_CHOICES, description="Texts to write; text i is what seed + i writes alone.")
    stop: Stops | None = None
    seed: int | None = Field(None, ge=0, le=2**53 - 1, description="The same seed gives the same text.")
    stream: bool | None = None
    stream_options: StreamOptions | None = None


class CompletionRequest(_Sampled):
    """Text that goes on from a prompt."""

    prompt: Prompts = Field(None, validate_default=True, description="Text, or ids of bytes, 0 to 255; or a list of either, each to be gone on from.")
    request: StoryRequest | None = Field(
        None,
        description="tavu's own: the prompt is then the beginning of a story that has all this. "
        "Each choice tells at its end, as `obeyed`, what of it the story has, prompt included.",
    )
    logprobs: int | None = Field(None, ge=0, le=5, description="Tell each byte's log-probability, and so many likelier ones.")
    echo: bool | None = Field(
        None, description="Tell the prompt before what is written, with its log-probabilities. It is then read as it stands, as a document."
    )

    @model_validator(mode="after")
    def _fits(self) -> "CompletionRequest":
        if len(self.prompt) * (self.n or 1) > MAX_TEXTS:
            raise PydanticCustomError(
                "sentence_of", "{sentence}", {"param": "n", "sentence": f"with so many prompts it makes over {MAX_TEXTS} texts"}
            )
        if self.request is not None and (self.echo or any(prompt.is_ids for prompt in self.prompt)):
            sentence = "a story to order has a text as its prompt, and no echo"
            raise PydanticCustomError("sentence_of", "{sentence}", {"param": "request", "sentence": sentence})
        return self


class Message(BaseModel):
    """Of a conversation. What else a client keeps with a message is not read."""

    model_config = ConfigDict(strict=True)

    role: Literal["system", "developer", "user", "assistant", "tool", "function"] = Field(
        description="developer is system; what a tool said is user."
    )
    content: Content = Field("", description="Text, or its parts, each of them text.")


class ChatRequest(_Sampled):
    """An answer to a conversation; a model that was not taught to converse goes on from what the user said last."""

    messages: list[Message] = Field(min_length=1, description="Of any number: the oldest are forgotten where they do not fit in the model's context.")
    max_completion_tokens: int | None = Field(None, ge=-1, description="As max_tokens, which it goes before.")
    logprobs: bool | None = None
    top_logprobs: int | None = Field(None, ge=0, le=20)


class TokenizeRequest(_Asked):
    """A text, as vLLM's servers are asked for its ids."""

    model: str | None = None
    prompt: str
    add_special_tokens: bool | None = Field(None, description=f"Begin with {END}, where a document starts.")


class DetokenizeRequest(_Asked):
    model: str | None = None
    tokens: list[Annotated[int, Field(ge=0, le=END)]]


class Tokens(BaseModel):
    count: int
    max_model_len: int
    tokens: list[int]


class Detokenized(BaseModel):
    prompt: str


class TokenizerInfo(BaseModel):
    tokenizer_class: str
    eos_token: str
    bos_token: None
    pad_token: None
    model_max_length: int


class Usage(BaseModel):
    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class CompletionLogprobs(BaseModel):
    tokens: list[str]
    token_logprobs: list[float | None]
    top_logprobs: list[dict[str, float] | None] | None
    text_offset: list[int]


class Obeyed(BaseModel):
    """tavu's own: what a story has of its request, of what a rule can see."""

    words: dict[str, bool]
    features: dict[str, bool]
    sentence: bool | None
    places: list[list[int]] = Field(
        description="Where the words stand, in characters from the start of the prompt: the first, and the one after the last."
    )


class CompletionChoice(BaseModel):
    index: int
    text: str
    finish_reason: Literal["stop", "length"] | None
    obeyed: Obeyed | None = None
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
