"""The reference of the HTTP API, from the OpenAPI document that the server itself gives out."""

import asyncio
from typing import Any

import httpx

from reference_from_code.markdown import code, escaped, table
from tavu.serving.api import create_app
from tavu.stored_model import open_model

INTRODUCTION = """\
# HTTP API

`tavu serve MODEL` speaks OpenAI's API, so that its clients work; where that says tokens, these are bytes. The server describes itself at `/docs` and,
for programs, at `/openapi.json`, from which this page is made. A field that is not listed is refused by its name, unless it asks for nothing.
"""
BOUNDS = {"minimum": "at least", "exclusiveMinimum": "above", "maximum": "at most", "exclusiveMaximum": "below", "maxItems": "entries at most"}
TOLD_BESIDE = ("StoryRequest", "Message", "Obeyed", "ErrorBody")
"""Parts of requests and answers that have a table of their own."""


def page() -> str:
    document = asyncio.run(_openapi())
    schemas = document["components"]["schemas"]
    parts = [INTRODUCTION]
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            parts += [f"## {method.upper()} {path}", escaped(operation.get("description") or operation.get("summary", ""))]
            if body := operation.get("requestBody"):
                parts.append(_table(_resolved(body["content"]["application/json"]["schema"], schemas)))
    for name in TOLD_BESIDE:
        parts += [f"## {name}", escaped(schemas[name].get("description", "")), _table(schemas[name])]
    return "\n\n".join(part for part in parts if part) + "\n"


async def _openapi() -> dict[str, Any]:
    app = create_app(open_model("stories"))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://127.0.0.1") as client:
        answer = await client.get("/openapi.json")
    return answer.raise_for_status().json()


def _resolved(schema: dict[str, Any], schemas: dict[str, Any]) -> dict[str, Any]:
    return schemas[schema["$ref"].rsplit("/", 1)[1]] if "$ref" in schema else schema


def _table(schema: dict[str, Any]) -> str:
    rows = []
    for name, field in schema.get("properties", {}).items():
        bounds = ", ".join(f"{word} {kind[key]:g}" for kind in (field, *field.get("anyOf", ())) for key, word in BOUNDS.items() if key in kind)
        rows.append([code(name), escaped("; ".join(filter(None, (_kind(field), bounds)))), escaped(field.get("description", ""))])
    return table(["field", "takes", "meaning"], rows)


def _kind(schema: dict[str, Any]) -> str:
    if "$ref" in schema:
        return schema["$ref"].rsplit("/", 1)[1]
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(kind for kind in map(_kind, schema["anyOf"]) if kind and kind != "null"))
    if "enum" in schema:
        return ", ".join(map(str, schema["enum"]))
    if schema.get("type") == "array":
        return f"list of {_kind(schema.get('items', {})) or 'values'}"
    return schema.get("type", str(schema.get("const", "")))
