"""The admin API as one ASGI application: the token first, then the router, then one form for every answer."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus

import msgspec
import structlog
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from penstock.core.catalogue import Catalogue
from penstock.core.secret import Secret
from penstock.core.time import Clock
from penstock.engine.rules import Policy
from penstock.server.admin import accounts, reading, sending, withdrawals
from penstock.server.admin.bodies import BODY_BYTES_MAX
from penstock.server.admin.endpoints import Call, CheckAddress, Desk, Endpoint
from penstock.server.admin.errors import HEADERS, ErrorReply, NotDone, Problem, missing, problem_of
from penstock.server.admin.openapi import describe
from penstock.server.rate import NS_PER_S, GcraLimiter, client_scope
from penstock.store.store import AsyncStore

ADMIN_PATH = "/admin/v1"
TOKEN_BYTES_MIN = 16
FAILURES_PER_MINUTE = 10
DEFAULT_ACTOR = "admin"
ENDPOINTS: tuple[Endpoint, ...] = (
    *accounts.ENDPOINTS,
    *sending.ENDPOINTS,
    *reading.ENDPOINTS,
    *withdrawals.ENDPOINTS,
)

_ACTOR = re.compile(r"[!-~](?:[ -~]{0,62}[!-~])?")
_JSON = re.compile(r'application/json(?:\s*;\s*charset="?utf-8"?)?', re.ASCII | re.IGNORECASE)
_log = structlog.get_logger(__name__)


def admin_app(
    store: AsyncStore,
    catalogue: Catalogue,
    policy: Policy,
    token: Secret,
    check_address: CheckAddress,
    clock: Clock,
) -> ASGIApp:
    """The application for every path below ADMIN_PATH; paths come complete.

    token: at least TOKEN_BYTES_MIN bytes, random; ValueError for a shorter one. check_address: (network,
    address, memo) -> canonical address, raises Refused. clock: for the limit on wrong tokens.
    """
    if len(token.reveal()) < TOKEN_BYTES_MIN:
        raise ValueError(f"the admin token must have at least {TOKEN_BYTES_MIN} bytes")
    desk = Desk(store, catalogue, policy, check_address, describe(ADMIN_PATH, ENDPOINTS))
    by_path: dict[str, dict[str, Endpoint]] = {}
    for endpoint in ENDPOINTS:
        by_path.setdefault(endpoint.path, {})[endpoint.method] = endpoint
    routed = Starlette(
        routes=[
            Route(ADMIN_PATH + path, _answering(desk, methods), methods=list(methods))
            for path, methods in by_path.items()
        ],
        exception_handlers={HTTPException: _not_routed, Exception: _bug},
    )
    # A path that is nearly right is not that path.
    routed.router.redirect_slashes = False
    return TokenGate(routed, token, clock)


class TokenGate:
    """Lets requests with the right token through. Nothing below it is reached without, not even a 404."""

    def __init__(self, app: ASGIApp, token: Secret, clock: Clock) -> None:
        self._app = app
        self._token = token
        self._clock = clock
        self._failures = GcraLimiter(FAILURES_PER_MINUTE, 60 * NS_PER_S, burst=FAILURES_PER_MINUTE)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and not self._admits(scope):
            await _failed(self._refusal(scope))(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _admits(self, scope: Scope) -> bool:
        given = [value for name, value in scope["headers"] if name == b"authorization"]
        if len(given) != 1:
            return False
        scheme, _, claimed = given[0].partition(b" ")
        return scheme.lower() == b"bearer" and self._token.matches(claimed)

    def _refusal(self, scope: Scope) -> NotDone:
        # Only failures are counted, and the right token is never made to wait: behind one proxy everybody has
        # one address, and an operator must always be able to stop payouts. The token is too long to guess.
        client: tuple[str, int] | None = scope.get("client")
        host = client_scope(client[0] if client else "")
        wait_ns = self._failures.take(host, self._clock.monotonic_ms() * 1_000_000)
        if wait_ns:
            seconds = -(-wait_ns // NS_PER_S)
            message = f"Too many wrong tokens from this address. Wait {seconds} s, and use the right one."
            return NotDone(429, "rate_limited", message, headers={"retry-after": str(seconds)})
        _log.warning("admin token refused", client=host)
        message = "Send the admin token as: Authorization: Bearer <token>."
        return NotDone(401, "unauthorized", message, headers={"www-authenticate": "Bearer"})


def _answering(desk: Desk, methods: Mapping[str, Endpoint]) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        endpoint = methods["GET" if request.method == "HEAD" else request.method]
        try:
            call = await _call(request, endpoint)
            done = await endpoint.carry_out(desk, call)
        except Exception as error:
            known = problem_of(error)
            if known is None:
                raise
            return _problem(*known)
        return _json(endpoint.status, done, {})

    return answer


async def _call(request: Request, endpoint: Endpoint) -> Call:
    raw = await _body(request)
    if raw and endpoint.body is not None:
        media = request.headers.getlist("content-type")
        if (
            len(media) != 1
            or _JSON.fullmatch(media[0].strip()) is None
            or "content-encoding" in request.headers
        ):
            raise NotDone(415, "unsupported_media", "Send the body as application/json, not encoded.")
    actors = request.headers.getlist("x-actor") or [DEFAULT_ACTOR]
    if len(actors) != 1 or _ACTOR.fullmatch(actors[0]) is None:
        raise NotDone(
            400, "actor_malformed", "Name one actor in 1 to 64 printable ASCII characters.", "X-Actor"
        )
    path = {name: str(value) for name, value in request.path_params.items()}
    return Call(actors[0], path, tuple(request.query_params.multi_items()), raw)


async def _body(request: Request) -> bytes:
    """The whole body. Raises NotDone(413) as soon as it is too long, without reading on."""
    taken = bytearray()
    async for chunk in request.stream():
        taken += chunk
        if len(taken) > BODY_BYTES_MAX:
            raise NotDone(413, "too_large", f"Send at most {BODY_BYTES_MAX} bytes.")
    return bytes(taken)


async def _not_routed(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code == HTTPStatus.NOT_FOUND:
        return _failed(missing("path"))
    headers = {name.lower(): value for name, value in (error.headers or {}).items()}
    message = "This path takes other methods; see the header Allow."
    return _failed(NotDone(error.status_code, "method_not_allowed", message, headers=headers))


async def _bug(_request: Request, _error: Exception) -> Response:
    """The answer to a bug; Starlette raises it again afterwards, so that the server logs it."""
    message = "A fault of this service. Look at the present state before sending it again; see the log."
    return _failed(NotDone(500, "bug", message))


def _failed(error: NotDone) -> Response:
    return _problem(error.status, error.problem, error.headers)


def _problem(status: int, problem: Problem, headers: Mapping[str, str]) -> Response:
    return _json(status, ErrorReply(problem), headers)


def _json(status: int, value: object, headers: Mapping[str, str]) -> Response:
    return Response(msgspec.json.encode(value), status, {**HEADERS, **headers}, "application/json")
