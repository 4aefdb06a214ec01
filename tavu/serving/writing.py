"""One request from its order to its answer: whole, or as a stream; a client that leaves frees its place."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable
from dataclasses import asdict
from typing import Any

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from tavu.evaluation.obedience import obedience, places_of_words
from tavu.serving.answers import DONE, Form, event
from tavu.serving.batching import Batcher, Full, Stopping
from tavu.serving.errors import Refusal
from tavu.serving.growing import Order, Piece, merged

_FAILED = "The server could not do this to its end: it is stopping, its engine failed, or it took too long. Ask again."


async def answer(batcher: Batcher, order: Order, form: Form, request: Request, *, stream: bool, with_usage: bool) -> Response:
    """The answer to an order. Raises Refusal when the queue is full, the server stops, or the engine fails."""
    try:
        batcher.put(order)
    except Full as full:
        message = f"All places are taken, and the queue is full. Ask again in {full.seconds} seconds."
        raise Refusal(429, message, "queue_full", {"retry-after": str(full.seconds)}) from None
    except Stopping:
        raise Refusal(503, _FAILED, "interrupted", {"connection": "close"}) from None
    if stream:
        return StreamingResponse(_events(batcher, order, form, with_usage), media_type="text/event-stream")
    leaving = asyncio.ensure_future(_leaving(request))
    collecting = asyncio.ensure_future(_collect(batcher, order))
    try:
        await asyncio.wait({leaving, collecting}, return_when=asyncio.FIRST_COMPLETED)
        if not collecting.done():
            return Response(status_code=499)  # to nobody
        texts = collecting.result()
    finally:
        leaving.cancel()
        collecting.cancel()
        batcher.cancel(order)
    if any(text.stopped == "failed" for text in texts):
        raise Refusal(503, _FAILED, "interrupted")
    obeyed = [await _obeyed(order, text.index, text.content) for text in texts]
    whole = form.whole(texts, obeyed, order.prompt_bytes, order.echoed_bytes)
    if order.num_top is None:
        return Response(b"".join(whole), media_type="application/json")
    return StreamingResponse(_giving_way(whole), media_type="application/json")


async def _leaving(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def _collect(batcher: Batcher, order: Order) -> list[Piece]:
    """All texts of an order, each as one piece; what has come is put together now and then, which takes a fraction of the memory."""
    texts: list[list[Piece]] = [[] for _ in range(order.num_texts)]
    async for piece in _until_all_ended(batcher, order):
        pieces = texts[piece.index]
        pieces.append(piece)
        if len(pieces) == 64:
            pieces[:] = [merged(pieces)]
    return [merged(pieces) for pieces in texts]


async def _events(batcher: Batcher, order: Order, form: Form, with_usage: bool) -> AsyncIterator[bytes]:
    offsets, written = [0] * order.num_texts, 0
    stories = [bytearray() for _ in range(order.num_texts)]
    with contextlib.ExitStack() as leaving:
        leaving.callback(batcher.cancel, order)
        if form.is_chat:
            for index in range(order.num_texts):
                yield event(form.opening(index))
        async for piece in _until_all_ended(batcher, order):
            if piece.stopped == "failed":
                yield event({"error": {"message": _FAILED, "type": "server_error", "param": None, "code": "interrupted"}})
                break
            stories[piece.index] += piece.content
            obeyed = await _obeyed(order, piece.index, bytes(stories[piece.index])) if piece.stopped else None
            yield event(form.chunk(piece, offsets[piece.index], obeyed, with_usage=with_usage))
            offsets[piece.index] += len(piece.content.decode("utf-8", errors="replace"))
            written += len(piece.content)
            await asyncio.sleep(0)  # others have their turn, though many pieces may lie ready
        else:
            if with_usage:
                yield event(form.closing(order.prompt_bytes, written - order.echoed_bytes))
        yield DONE


async def _obeyed(order: Order, index: int, content: bytes) -> dict[str, Any] | None:
    """What a whole story has of its request, and where its words stand; None where nothing was asked for.

    In a thread, so that others are served: a long opening and many words take a while.
    """
    request = order.request
    if request is None:
        return None
    story = order.openings[index // order.count] + content.decode("utf-8", errors="replace")
    obeyed, places = await asyncio.to_thread(lambda: (obedience(request, story), places_of_words(request.words, story)))
    return asdict(obeyed) | {"places": places}


async def _until_all_ended(batcher: Batcher, order: Order) -> AsyncIterator[Piece]:
    """The pieces of all texts as they come; what the engine does not end in time fails."""
    going_on = set(range(order.num_texts))
    while going_on:
        try:
            piece = await batcher.next_piece(order)
        except TimeoutError:
            piece = Piece(min(going_on), b"", None, "failed")
        if piece.stopped:
            going_on.discard(piece.index)
        yield piece


async def _giving_way(parts: Iterable[bytes]) -> AsyncIterator[bytes]:
    """Parts of an answer; others have their turn between two of them."""
    for part in parts:
        yield part
        await asyncio.sleep(0)
