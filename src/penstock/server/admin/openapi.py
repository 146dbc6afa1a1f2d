"""The OpenAPI 3.1 document, generated from the endpoints' table and the structs they name."""

from __future__ import annotations

import re
from collections.abc import Sequence
from importlib.metadata import version

import msgspec

from penstock.server.admin import schema
from penstock.server.admin.endpoints import Endpoint
from penstock.server.admin.errors import ErrorReply

JsonObject = dict[str, object]

_REFERENCE = "#/components/schemas/{name}"
_PARAMETER = re.compile(r"\{(\w+)\}")
_ERRORS = {
    400: "The request cannot be read: its JSON, its headers or a parameter.",
    401: "No token, or not the right one.",
    404: "There is no such thing.",
    405: "This path takes other methods; see Allow.",
    409: "The present state does not allow it.",
    413: "The body is too large.",
    415: "The body is not application/json.",
    422: "A value is not acceptable; `field` names it.",
    429: "Too many wrong tokens; see Retry-After.",
    500: "In doubt: it is not known whether it was done. Look before repeating. Any other 500 is a bug.",
    503: "Nothing was done; try again.",
}
_PATH_SCHEMAS: dict[str, JsonObject] = {
    "key_id": {"type": "string", "pattern": "^[A-Za-z0-9._-]{4,64}$"},
    "network": {"type": "string", "pattern": "^[a-z0-9_-]{1,32}$"},
    "venue": {"type": "string", "pattern": "^[a-z][a-z0-9]{0,31}$"},
}
_ID_SCHEMA: JsonObject = {"type": "string", "pattern": "^(0|[1-9][0-9]{0,18})$"}
_ACTOR: JsonObject = {
    "name": "X-Actor",
    "in": "header",
    "required": False,
    "description": 'Who acts, for the audit; "admin" where it is left out.',
    "schema": {"type": "string", "pattern": "^[!-~]([ -~]{0,62}[!-~])?$"},
}


def describe(prefix: str, endpoints: Sequence[Endpoint]) -> msgspec.Raw:
    """The encoded document. prefix: what stands before every endpoint's path."""
    paths: dict[str, dict[str, JsonObject]] = {}
    for endpoint in endpoints:
        paths.setdefault(prefix + endpoint.path, {})[endpoint.method.lower()] = _operation(endpoint)
    document: JsonObject = {
        "openapi": "3.1.0",
        "info": {
            "title": "Penstock admin API",
            "version": version("penstock"),
            "description": "The operator's side. Every act leaves one audit row, a refused act none.",
        },
        "paths": paths,
        "components": {
            "schemas": _components(endpoints),
            "responses": {f"Error{status}": _error(text) for status, text in _ERRORS.items()},
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{"token": []}],
    }
    return msgspec.Raw(msgspec.json.encode(document))


def _operation(endpoint: Endpoint) -> JsonObject:
    acts = endpoint.body is not None
    parameters: list[JsonObject] = [_path_parameter(name) for name in _PARAMETER.findall(endpoint.path)]
    parameters += _query_parameters(endpoint.query)
    if acts:
        parameters.append(_ACTOR)
    operation: JsonObject = {
        "operationId": endpoint.name,
        "summary": endpoint.summary,
        "parameters": parameters,
        "responses": {
            str(endpoint.status): {"description": "Done.", "content": _content(endpoint.reply)},
            **{str(status): {"$ref": f"#/components/responses/Error{status}"} for status in _ERRORS},
        },
    }
    if endpoint.body is not None:
        needed = any(field.required for field in msgspec.structs.fields(endpoint.body))
        operation["requestBody"] = {"required": needed, "content": _content(endpoint.body)}
    return operation


def _path_parameter(name: str) -> JsonObject:
    return {"name": name, "in": "path", "required": True, "schema": _PATH_SCHEMAS.get(name, _ID_SCHEMA)}


def _query_parameters(query: type[schema.Body]) -> list[JsonObject]:
    _, components = msgspec.json.schema_components([query], ref_template=_REFERENCE)
    properties = components[query.__name__].get("properties", {})
    return [
        {"name": name, "in": "query", "required": False, "schema": described}
        for name, described in properties.items()
    ]


def _components(endpoints: Sequence[Endpoint]) -> dict[str, object]:
    named = {one for endpoint in endpoints for one in (endpoint.body, endpoint.reply) if one is not None}
    queries = {endpoint.query for endpoint in endpoints}
    types = sorted((*named, *queries, ErrorReply), key=lambda one: one.__name__)
    _, components = msgspec.json.schema_components(types, ref_template=_REFERENCE)
    # A query is written out where it belongs; what stays of it here is what it refers to.
    written_out = {query.__name__ for query in queries}
    return {name: described for name, described in components.items() if name not in written_out}


def _content(struct: type[msgspec.Struct] | None) -> JsonObject:
    described: JsonObject = (
        {"type": "object"} if struct is None else {"$ref": _REFERENCE.format(name=struct.__name__)}
    )
    return {"application/json": {"schema": described}}


def _error(text: str) -> JsonObject:
    return {"description": text, "content": _content(ErrorReply)}
