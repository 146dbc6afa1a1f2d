"""The OpenAPI document: valid, whole, without secrets; and what schemathesis makes of it."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.config import SchemathesisConfig
from schemathesis.python.asgi import get_client
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from penstock.server.admin.app import ENDPOINTS
from penstock.server.admin.bodies import read_body
from penstock.server.admin.schema import NoFields
from tests.api.admin_world import TOKEN, World, open_world

EXAMPLES = 8
HEADERS = {"Authorization": f"Bearer {TOKEN}"}


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with open_world(tmp_path) as made:
        yield made


def test_it_is_valid_openapi(world: World) -> None:
    document = world.send("GET", "/openapi.json")
    assert document["openapi"] == "3.1.0"
    schemathesis.openapi.from_dict(document).validate()


def test_every_route_is_in_it(world: World) -> None:
    paths = world.send("GET", "/openapi.json")["paths"]
    described = {(method.upper(), path) for path, methods in paths.items() for method in methods}
    assert described == {(endpoint.method, f"/admin/v1{endpoint.path}") for endpoint in ENDPOINTS}
    names = [operation["operationId"] for methods in paths.values() for operation in methods.values()]
    assert len(names) == len(set(names))


def test_every_reference_leads_somewhere(world: World) -> None:
    document = world.send("GET", "/openapi.json")

    def references(part: Any) -> Iterator[str]:
        if isinstance(part, dict):
            if "$ref" in part:
                yield part["$ref"]
            part = list(part.values())
        if isinstance(part, list):
            for member in part:
                yield from references(member)

    found = set(references(document))
    assert found
    for reference in found:
        target = document
        for step in reference.removeprefix("#/").split("/"):
            target = target[step]


def test_it_holds_no_secret_and_no_float(world: World) -> None:
    text = json.dumps(world.send("GET", "/openapi.json"))
    assert TOKEN not in text
    assert '"type": "number"' not in text
    assert "secret" in text


PAGE = Path(__file__).parents[2] / "docs" / "operate" / "admin-api.md"
CONTINUED = re.compile(r"\\?\n {4}")
# What stands for a path's parameter on the page.
PARAMETER = re.compile(r"\$[A-Z]+|(?<=/networks/|addresses/)ethereum|(?<=/callbacks/)alphapo")


def examples() -> list[tuple[str, str, str]]:
    """(method, path with its parameters as {}, body or "") of each curl example of the page."""
    lines = CONTINUED.sub(" ", PAGE.read_text("utf-8")).splitlines()
    found: list[tuple[str, str, str]] = []
    for line in lines:
        if line.startswith("admin "):
            words = shlex.split(line, comments=True)[1:]
            url = next(word for word in words if word.startswith("$ADMIN/"))
            given = {name: words[words.index(name) + 1] for name in ("-X", "-d") if name in words}
            path = PARAMETER.sub("{}", url.removeprefix("$ADMIN").partition("?")[0])
            found.append((given.get("-X", "GET"), path, given.get("-d", "")))
    return found


def test_the_page_has_an_example_of_every_endpoint() -> None:
    wanted = {(each.method, re.sub(r"\{\w+\}", "{}", each.path)) for each in ENDPOINTS}
    assert {(method, path) for method, path, _ in examples()} == wanted


def test_the_bodies_on_the_page_are_sound() -> None:
    by_path = {(each.method, re.sub(r"\{\w+\}", "{}", each.path)): each for each in ENDPOINTS}
    for method, path, body in examples():
        wanted = by_path[method, path].body or NoFields
        assert isinstance(read_body(body.encode(), wanted), wanted), path


CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]


def test_whatever_is_sent_is_answered_as_the_document_says(world: World) -> None:
    """Requests that fit the document and others, for every operation: no 500, no undocumented answer."""
    config = SchemathesisConfig.from_dict({"generation": {"with-security-parameters": False}})
    schema = schemathesis.openapi.from_dict(world.send("GET", "/openapi.json"), config=config)
    schema.app = world.app
    account = world.account()
    ours = {"account_id": account, "withdrawal_id": world.withdrawal(account), "sequence": "1"}
    with get_client(world.app) as session:
        statuses = [
            status
            for result in schema.get_all_operations()
            for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
            for status in drive(result.ok(), mode, session, ours)
        ]
    assert {200, 201, 404, 422} <= set(statuses)
    assert 401 not in statuses


def drive(operation: Any, mode: GenerationMode, session: Any, ours: dict[str, str]) -> list[int]:
    """The statuses of a few generated requests; fails where an answer is not as documented."""
    statuses: list[int] = []
    # An id drawn at random is never one of ours: half of the drives get one that is.
    known = {name: each for name, each in ours.items() if f"{{{name}}}" in operation.path}
    fixed = known if known and mode is GenerationMode.POSITIVE else None

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(mode, path_parameters=fixed))
    def send(case: Any) -> None:
        statuses.append(case.call_and_validate(session=session, headers=HEADERS, checks=CHECKS).status_code)

    try:
        send()
    except Unsatisfiable:
        # Nothing about an operation without parameters and body can be wrong.
        assert mode is GenerationMode.NEGATIVE, operation.path
    return statuses
