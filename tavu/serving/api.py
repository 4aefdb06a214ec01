"""The HTTP routes: OpenAI's API, the studio, health and metrics."""

import contextlib
import logging
import secrets
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import FileResponse, JSONResponse, Response

import tavu
from tavu.engine.native import NativeEngine
from tavu.serving import protocol
from tavu.serving.about import about, report_of
from tavu.serving.answers import ResponseBuilder
from tavu.serving.batching import Batcher
from tavu.serving.callers import Callers
from tavu.serving.errors import Refusal, error_answer, invalid_request
from tavu.serving.guard import Guard
from tavu.serving.jobs import chat_job, completion_job
from tavu.serving.keys import Keys
from tavu.serving.limits import Limits
from tavu.serving.metrics import CONTENT_TYPE, Metrics
from tavu.serving.prompts import END_OF_DOCUMENT, ids_of, text_of
from tavu.serving.streams import Job
from tavu.serving.writing import answer
from tavu.stored_model import StoredModel

PAGE = Path(__file__).parent / "page"
PARTS = {"studio.css": "text/css", "icon.svg": "image/svg+xml"} | {
    f"{name}.js": "text/javascript" for name in ("studio", "stream", "story", "shelf", "words", "docs")
}
_ERRORS: dict[int | str, dict[str, Any]] = {
    "4XX": {"model": protocol.ErrorAnswer, "description": "What is wrong with the request"},
    503: {"model": protocol.ErrorAnswer, "description": "The server is stopping"},
}
_STREAM: dict[int | str, dict[str, Any]] = {200: {"content": {"text/event-stream": {}}}}

log = logging.getLogger("tavu.serving")


def create_app(
    stored: StoredModel,
    *,
    keys: Keys | None = None,
    limits: Limits | None = None,
    callers: Callers | None = None,
    root_path: str = "",
    log_prompts: bool = False,
) -> Guard:
    """The ASGI app that serves a model. Raises TavuError when the native engine cannot run it."""
    limits, keys, metrics = limits or Limits(), keys or Keys(), Metrics()
    engine = NativeEngine(stored)
    batcher = Batcher(engine, limits, metrics)

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        batcher.start()
        yield
        batcher.stop()

    app = FastAPI(
        title="tavu",
        version=tavu.__version__,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        swagger_ui_oauth2_redirect_url=None,
        description="A model on your own machine, with OpenAI's API. Tokens are bytes.",
    )
    _add_error_handlers(app)
    _add_api(app, stored, batcher, limits, log_prompts)
    _add_studio(app, stored, engine)
    _add_operations(app, batcher, metrics)
    if keys.hashes:
        _document_keys(app)
    paths = frozenset({"/", "/docs", *app.openapi()["paths"], *(f"/page/{part}" for part in PARTS)})
    return Guard(
        app,
        keys=keys,
        limits=limits,
        metrics=metrics,
        paths=paths,
        callers=callers or Callers(),
        root_path=root_path,
        end_all=batcher.end_all,
    )


def _add_error_handlers(app: FastAPI) -> None:
    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> Response:
        return invalid_request(error.errors())

    @app.exception_handler(Refusal)
    async def refused(_: Request, refusal: Refusal) -> Response:
        return refusal.answer()

    @app.exception_handler(HTTPException)
    async def http_error(_: Request, error: HTTPException) -> Response:
        sentences = {
            404: "This path does not exist. /docs lists all paths.",
            405: "This path does not support this method. /docs lists the methods.",
            400: "The body cannot be read as JSON in UTF-8. Send a JSON object, with Content-Type: application/json.",
        }
        return error_answer(error.status_code, sentences.get(error.status_code, str(error.detail)), headers=error.headers)

    @app.exception_handler(Exception)
    async def failed(_: Request, error: Exception) -> Response:
        return error_answer(500, "The server failed to handle this request. Its log has the error.", code=type(error).__name__)


def _add_api(app: FastAPI, stored: StoredModel, batcher: Batcher, limits: Limits, log_prompts: bool) -> None:
    name, created = stored.name, int(stored.file.stat().st_mtime)
    card = {"id": name, "object": "model", "created": created, "owned_by": "tavu"}

    def check_model(asked: str | None) -> None:
        if asked not in (None, name):
            raise Refusal(404, f"This server has no model of that name. It serves {name!r}.", "model_not_found", param="model")

    async def write(asked: protocol.CompletionRequest | protocol.ChatRequest, job: Job, builder: ResponseBuilder, request: Request) -> Response:
        if log_prompts:
            log.info("prompts: %r", job.prompts)
        with_usage = bool(asked.stream_options and asked.stream_options.include_usage)
        return await answer(batcher, job, builder, request, stream=bool(asked.stream), with_usage=with_usage)

    @app.get("/v1/models", response_model=protocol.ModelList, responses=_ERRORS)
    async def list_models() -> Response:
        """The model that is served."""
        return JSONResponse({"object": "list", "data": [card]})

    @app.get("/v1/models/{model}", response_model=protocol.ModelCard, responses=_ERRORS)
    async def retrieve_model(model: str) -> Response:
        """The model by its name."""
        check_model(model)
        return JSONResponse(card)

    @app.get("/tokenizer_info", response_model=protocol.TokenizerInfo, responses=_ERRORS)
    async def tell_tokenizer() -> Response:
        """The tokenizer, in vLLM's format: ids are the bytes of the UTF-8 text."""
        told = {"tokenizer_class": "bytes", "eos_token": END_OF_DOCUMENT, "bos_token": None, "pad_token": None}
        return JSONResponse(told | {"model_max_length": stored.config.max_seq_len})

    @app.post("/tokenize", response_model=protocol.Tokens, responses=_ERRORS)
    async def tokenize(asked: protocol.TokenizeRequest) -> Response:
        """The ids of a text: its bytes, with 256 for each <|endoftext|>."""
        check_model(asked.model)
        ids = ids_of(asked.prompt, with_start=bool(asked.add_special_tokens))
        return JSONResponse({"count": len(ids), "max_model_len": stored.config.max_seq_len, "tokens": ids})

    @app.post("/detokenize", response_model=protocol.Detokenized, responses=_ERRORS)
    async def detokenize(asked: protocol.DetokenizeRequest) -> Response:
        """The text of ids."""
        check_model(asked.model)
        return JSONResponse({"prompt": text_of(asked.tokens)})

    @app.post("/v1/completions", response_model=protocol.Completion, responses=_ERRORS | _STREAM)
    async def complete(asked: protocol.CompletionRequest, request: Request) -> Response:
        """Continue a prompt, or write a story for a request."""
        check_model(asked.model)
        return await write(asked, completion_job(asked, stored, limits.seconds), ResponseBuilder(name, False), request)

    @app.post("/v1/chat/completions", response_model=protocol.ChatCompletion, responses=_ERRORS | _STREAM)
    async def chat(asked: protocol.ChatRequest, request: Request) -> Response:
        """Answer in a conversation."""
        check_model(asked.model)
        return await write(asked, chat_job(asked, stored, limits.seconds), ResponseBuilder(name, True), request)


def _add_studio(app: FastAPI, stored: StoredModel, engine: NativeEngine) -> None:
    facts, report, ticket = about(stored, engine), report_of(stored), secrets.token_urlsafe(24)
    if report is not None:
        facts["report"] = f"studio/report/{ticket}"

    @app.get("/", include_in_schema=False)
    async def studio() -> Response:
        return FileResponse(PAGE / "index.html", media_type="text/html")

    @app.get("/docs", include_in_schema=False)
    async def docs() -> Response:
        return FileResponse(PAGE / "docs.html", media_type="text/html")

    @app.get("/page/{part}", include_in_schema=False)
    async def part(part: str) -> Response:
        if part not in PARTS:
            raise HTTPException(404)
        return FileResponse(PAGE / part, media_type=PARTS[part])

    @app.get("/studio/facts", include_in_schema=False)
    async def tell_facts() -> Response:
        return JSONResponse(facts)

    @app.get("/studio/report/{asked}", include_in_schema=False)
    async def show_report(asked: str) -> Response:
        if report is None or not secrets.compare_digest(asked.encode(), ticket.encode()):
            raise HTTPException(404)
        return FileResponse(report, media_type="text/html")


def _add_operations(app: FastAPI, batcher: Batcher, metrics: Metrics) -> None:
    @app.get("/healthz", responses={503: {"description": "The engine has stopped"}})
    async def health() -> JSONResponse:
        """Whether the engine is running."""
        return JSONResponse({"status": "ok" if batcher.is_alive else "failed"}, 200 if batcher.is_alive else 503)

    @app.get("/metrics", responses=_ERRORS | {200: {"content": {"text/plain": {"schema": {"type": "string"}}}}}, response_class=Response)
    async def measure() -> Response:
        """Counters and gauges for Prometheus."""
        return Response(metrics.page(writing=batcher.num_writing, waiting=batcher.num_waiting), media_type=CONTENT_TYPE)


def _document_keys(app: FastAPI) -> None:
    """Add the API key to the OpenAPI document."""
    document = app.openapi()
    document.setdefault("components", {})["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
    for path, methods in document["paths"].items():
        if path != "/healthz":
            for operation in methods.values():
                operation["security"] = [{"key": []}]
