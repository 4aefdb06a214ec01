"""Request and response models: OpenAI's completions and chat completions. Tokens are bytes."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema, model_validator
from pydantic_core import PydanticCustomError

from tavu.config import INSIST, MAX_INSIST, SamplingConfig
from tavu.data.records import Request
from tavu.serving.limits import MAX_BYTES, MAX_CHOICES, MAX_STOPS, MAX_TEXTS
from tavu.serving.prompts import Content, Prompts
from tavu.serving.unsupported import has_no_effect
from tavu.vocabulary import END

Phrase = Annotated[str, Field(min_length=1, max_length=200)]
_PHRASE = {"type": "string", "minLength": 1, "maxLength": 200}
Stops = Annotated[
    list[Phrase],
    Field(max_length=MAX_STOPS),
    BeforeValidator(lambda value: [value] if isinstance(value, str) else value),
    WithJsonSchema({"anyOf": [_PHRASE, {"type": "array", "items": _PHRASE, "maxItems": MAX_STOPS}]}),
]


def _integral(value: Any) -> Any:
    """5 for 5.0, also in lists.

    >>> _integral([5.0, [5.5, "5.0"]])
    [5, [5.5, '5.0']]
    """
    if isinstance(value, list):
        return [_integral(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


class _RequestModel(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _normalize(cls, values: Any) -> Any:
        """Drop unsupported fields without effect, and convert 5.0 to 5, which JSON does not distinguish."""
        if not isinstance(values, dict):
            return values
        kept = {name: value for name, value in values.items() if name in cls.model_fields or not has_no_effect(name, value)}
        return {name: _integral(value) for name, value in kept.items()}


class StoryRequest(_RequestModel):
    """A story request, for a model that was fine-tuned to follow them."""

    words: list[Phrase] = Field([], max_length=16)
    features: list[Phrase] = Field([], max_length=8)
    summary: str = Field("", max_length=2000)
    sentence: str = Field("", max_length=500, description="A sentence that the story contains verbatim.")
    insist: float = Field(INSIST, ge=0, le=MAX_INSIST, description="Scales the learned gate of requested words; 1 is the learned value.")

    def request(self) -> Request:
        return Request(tuple(self.words), tuple(self.features), self.summary, self.sentence)


class StreamOptions(_RequestModel):
    include_usage: bool | None = None


class _SamplingRequest(_RequestModel):
    model: str | None = Field(None, description="The name that /v1/models returns. Optional.")
    max_tokens: int | None = Field(
        None,
        ge=-1,
        description=f"The longest text in bytes. Default 1024, at most {MAX_BYTES:,}, which -1 stands for. 0 writes nothing.",
    )
    temperature: float | None = Field(None, ge=0, le=2, description=f"0 always takes the likeliest byte. Default {SamplingConfig.temperature}.")
    top_p: float | None = Field(None, gt=0, le=1)
    top_k: int | None = Field(None, ge=1, le=257)
    min_p: float | None = Field(None, ge=0, lt=1)
    repetition_penalty: float | None = Field(None, ge=1, le=2)
    n: int | None = Field(None, ge=1, le=MAX_CHOICES, description="The number of texts. Text i equals a single text with seed + i.")
    stop: Stops | None = None
    seed: int | None = Field(None, ge=0, le=2**53 - 1, description="The same seed gives the same text.")
    stream: bool | None = None
    stream_options: StreamOptions | None = None


class CompletionRequest(_SamplingRequest):
    """A completion of a prompt."""

    prompt: Prompts = Field(None, validate_default=True, description="Text, or ids of bytes, 0 to 255, or a list of either, each a separate prompt.")
    request: StoryRequest | None = Field(
        None,
        description="An extension of tavu: a story with these properties. The prompt is its beginning. "
        "Each finished choice reports in `obeyed` which of them the story has, prompt included.",
    )
    logprobs: int | None = Field(None, ge=0, le=5, description="Return the log-probability of each byte, and of this many likeliest bytes.")
    echo: bool | None = Field(
        None,
        description="Return the prompt before the completion, with its log-probabilities. The prompt is then used verbatim.",
    )

    @model_validator(mode="after")
    def _fits(self) -> "CompletionRequest":
        if len(self.prompt) * (self.n or 1) > MAX_TEXTS:
            raise PydanticCustomError(
                "sentence_of", "{sentence}", {"param": "n", "sentence": f"with this many prompts it makes more than {MAX_TEXTS} texts"}
            )
        if self.request is not None and (self.echo or any(prompt.is_ids for prompt in self.prompt)):
            sentence = "a story request needs a text as its prompt, and no echo"
            raise PydanticCustomError("sentence_of", "{sentence}", {"param": "request", "sentence": sentence})
        return self


class Message(BaseModel):
    """A message of a conversation. Other fields of a message are ignored."""

    model_config = ConfigDict(strict=True)

    role: Literal["system", "developer", "user", "assistant", "tool", "function"] = Field(
        description="developer counts as system, tool and function as user."
    )
    content: Content = Field("", description="Text, or a list of text parts.")


class ChatRequest(_SamplingRequest):
    """An answer in a conversation. A model that was not fine-tuned on conversations continues the last user message."""

    messages: list[Message] = Field(min_length=1, description="Any number of messages. The oldest are dropped if they do not fit in the context.")
    max_completion_tokens: int | None = Field(None, ge=-1, description="The same as max_tokens, and overrides it.")
    logprobs: bool | None = None
    top_logprobs: int | None = Field(None, ge=0, le=20)


class TokenizeRequest(_RequestModel):
    """A text to convert to ids, in vLLM's format."""

    model: str | None = None
    prompt: str
    add_special_tokens: bool | None = Field(None, description=f"Start with {END}, as at the start of a document.")


class DetokenizeRequest(_RequestModel):
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
