"""Answer a request with the texts of its job: as a full response, or as a stream. A client that disconnects frees its rows."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable
from dataclasses import asdict
from typing import Any

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from tavu.evaluation.obedience import obedience, places_of_words
from tavu.serving.answers import DONE, ResponseBuilder, event
from tavu.serving.batching import Batcher, QueueFull, Stopping
from tavu.serving.errors import Refusal
from tavu.serving.streams import Job, Piece, merge

_FAILED = "The request could not be completed: the server is stopping, its engine failed, or it took too long. Try again."


async def answer(batcher: Batcher, job: Job, builder: ResponseBuilder, request: Request, *, stream: bool, with_usage: bool) -> Response:
    """The response for a job. Raises Refusal when the queue is full, the server is stopping, or the engine fails."""
    try:
        batcher.put(job)
    except QueueFull as full:
        message = f"The queue is full. Try again in {full.seconds} seconds."
        raise Refusal(429, message, "queue_full", {"retry-after": str(full.seconds)}) from None
    except Stopping:
        raise Refusal(503, _FAILED, "interrupted", {"connection": "close"}) from None
    if stream:
        return StreamingResponse(_events(batcher, job, builder, with_usage), media_type="text/event-stream")
    disconnected = asyncio.ensure_future(_disconnected(request))
    collecting = asyncio.ensure_future(_collect(batcher, job))
    try:
        await asyncio.wait({disconnected, collecting}, return_when=asyncio.FIRST_COMPLETED)
        if not collecting.done():
            return Response(status_code=499)  # the client has disconnected
        texts = collecting.result()
    finally:
        disconnected.cancel()
        collecting.cancel()
        batcher.cancel(job)
    if any(text.stopped == "failed" for text in texts):
        raise Refusal(503, _FAILED, "interrupted")
    obeyed = [await _obeyed(job, text.index, text.content) for text in texts]
    whole = builder.whole(texts, obeyed, job.prompt_bytes, job.echoed_bytes)
    if job.num_top is None:
        return Response(b"".join(whole), media_type="application/json")
    return StreamingResponse(_cooperatively(whole), media_type="application/json")


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def _collect(batcher: Batcher, job: Job) -> list[Piece]:
    """All texts of a job, each as one piece. Pieces are merged now and then, which saves most of the memory."""
    texts: list[list[Piece]] = [[] for _ in range(job.num_texts)]
    async for piece in _pieces(batcher, job):
        pieces = texts[piece.index]
        pieces.append(piece)
        if len(pieces) == 64:
            pieces[:] = [merge(pieces)]
    return [merge(pieces) for pieces in texts]


async def _events(batcher: Batcher, job: Job, builder: ResponseBuilder, with_usage: bool) -> AsyncIterator[bytes]:
    offsets, written = [0] * job.num_texts, 0
    stories = [bytearray() for _ in range(job.num_texts)]
    with contextlib.ExitStack() as stack:
        stack.callback(batcher.cancel, job)
        if builder.is_chat:
            for index in range(job.num_texts):
                yield event(builder.first_chunk(index))
        async for piece in _pieces(batcher, job):
            if piece.stopped == "failed":
                yield event({"error": {"message": _FAILED, "type": "server_error", "param": None, "code": "interrupted"}})
                break
            stories[piece.index] += piece.content
            obeyed = await _obeyed(job, piece.index, bytes(stories[piece.index])) if piece.stopped else None
            yield event(builder.chunk(piece, offsets[piece.index], obeyed, with_usage=with_usage))
            offsets[piece.index] += len(piece.content.decode("utf-8", errors="replace"))
            written += len(piece.content)
            await asyncio.sleep(0)  # let other tasks run, even if many pieces are ready
        else:
            if with_usage:
                yield event(builder.usage_chunk(job.prompt_bytes, written - job.echoed_bytes))
        yield DONE


async def _obeyed(job: Job, index: int, content: bytes) -> dict[str, Any] | None:
    """The checks of a complete story against its request, with the places of its words. None if there is no request.

    Runs in a thread, so that it does not block the event loop: a long opening and many words take a while.
    """
    request = job.request
    if request is None:
        return None
    story = job.openings[index // job.count] + content.decode("utf-8", errors="replace")
    obeyed, places = await asyncio.to_thread(lambda: (obedience(request, story), places_of_words(request.words, story)))
    return asdict(obeyed) | {"places": places}


async def _pieces(batcher: Batcher, job: Job) -> AsyncIterator[Piece]:
    """The pieces of all texts as they arrive. Texts that the engine does not end in time fail."""
    unfinished = set(range(job.num_texts))
    while unfinished:
        try:
            piece = await batcher.next_piece(job)
        except TimeoutError:
            piece = Piece(min(unfinished), b"", None, "failed")
        if piece.stopped:
            unfinished.discard(piece.index)
        yield piece


async def _cooperatively(parts: Iterable[bytes]) -> AsyncIterator[bytes]:
    """Yield the parts of a response, and let other tasks run between them."""
    for part in parts:
        yield part
        await asyncio.sleep(0)
