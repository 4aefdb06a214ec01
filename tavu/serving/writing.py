"""One request from its order to its answer: whole, or as a stream; a client that leaves frees its place."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from tavu.serving.answers import DONE, Form, event
from tavu.serving.batching import Batcher, Full
from tavu.serving.errors import error_answer
from tavu.serving.growing import Order, Piece
from tavu.serving.guard import Refusal

_FAILED = "The server could not write this to its end: it is stopping, or its engine failed. Ask again."


async def answer(batcher: Batcher, order: Order, form: Form, request: Request, *, stream: bool, with_usage: bool) -> Response:
    """The answer to an order. Raises Refusal when the queue is full, or the engine fails."""
    try:
        batcher.put(order)
    except Full as full:
        message = f"All places are taken, and the queue is full. Ask again in {full.seconds} seconds."
        raise Refusal(429, message, "queue_full", {"retry-after": str(full.seconds)}) from None
    if stream:
        return StreamingResponse(_events(batcher, order, form, with_usage), media_type="text/event-stream")
    leaving = asyncio.ensure_future(_leaving(request))
    collecting = asyncio.ensure_future(_collect(order))
    try:
        await asyncio.wait({leaving, collecting}, return_when=asyncio.FIRST_COMPLETED)
        if not collecting.done():
            return Response(status_code=499)  # to nobody
        pieces = collecting.result()
    finally:
        leaving.cancel()
        collecting.cancel()
        batcher.cancel(order)
    if any(some[-1].stopped == "failed" for some in pieces):
        return error_answer(503, _FAILED, code="interrupted")
    return JSONResponse(form.whole(pieces, sum(map(len, order.prompts))))


async def _leaving(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def _collect(order: Order) -> list[list[Piece]]:
    pieces: list[list[Piece]] = [[] for _ in range(order.num_texts)]
    async for piece in _until_all_ended(order):
        pieces[piece.index].append(piece)
    return pieces


async def _events(batcher: Batcher, order: Order, form: Form, with_usage: bool) -> AsyncIterator[bytes]:
    offsets, written = [0] * order.num_texts, 0
    with contextlib.ExitStack() as leaving:
        leaving.callback(batcher.cancel, order)
        if form.is_chat:
            for index in range(order.num_texts):
                yield event(form.opening(index))
        async for piece in _until_all_ended(order):
            if piece.stopped == "failed":
                yield event({"error": {"message": _FAILED, "type": "server_error", "param": None, "code": "interrupted"}})
                return
            yield event(form.chunk(piece, offsets[piece.index], with_usage=with_usage))
            offsets[piece.index] += len(piece.content.decode("utf-8", errors="replace"))
            written += len(piece.content)
        if with_usage:
            yield event(form.closing(sum(map(len, order.prompts)), written))
        yield DONE


async def _until_all_ended(order: Order) -> AsyncIterator[Piece]:
    """The pieces of all texts as they come; an order that waits too long for its turn ends with nothing."""
    going_on = set(range(order.num_texts))
    try:
        async with asyncio.timeout(order.seconds + 5):
            while going_on:
                piece = await order.pieces.get()
                if piece.stopped:
                    going_on.discard(piece.index)
                yield piece
    except TimeoutError:
        for index in going_on:
            yield Piece(index, b"", (), "time")
