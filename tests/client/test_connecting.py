"""`connect`: the credentials of every venue, by name; a venue is loaded when it is first used."""

from __future__ import annotations

import subprocess
import sys
import traceback
import typing
from typing import Any

import pytest

from penstock.client import VENUES, Client, connect, connect_async, connect_with, entry_of
from penstock.client import credentials as keywords
from penstock.core.secret import Secret
from tests.client.sample_accounts import CANARIES, CREDENTIALS

URL = "http://127.0.0.1:9"


def settings(venue: str, **changes: Any) -> dict[str, Any]:
    return CREDENTIALS[venue] | {"base_url": URL} | changes


def told(error: BaseException) -> str:
    """The whole story without this test's own variables, which hold the canaries."""
    inner = error.__traceback__ and error.__traceback__.tb_next
    shown = traceback.TracebackException(type(error), error, inner, capture_locals=True)
    return "".join(shown.format())


@pytest.mark.parametrize("venue", VENUES)
def test_a_client_is_made_for_every_venue(venue: str) -> None:
    for client in (connect(venue, **settings(venue)), connect_async(venue, **settings(venue))):
        assert (client.venue, client.base_url) == (venue, URL)
        assert client.extra_calls is not None


@pytest.mark.parametrize("venue", VENUES)
def test_the_venue_itself_is_where_a_client_goes_by_default(venue: str) -> None:
    client = connect(venue, **CREDENTIALS[venue])
    assert client.base_url == entry_of(venue).base_url
    assert client.base_url.startswith("https://")
    assert client.base_url.removeprefix("https://").partition("/")[0].endswith(entry_of(venue).hosts)


@pytest.mark.parametrize("venue", VENUES)
def test_the_keywords_that_editors_show_are_the_venues_options(venue: str) -> None:
    shown = typing.get_type_hints(getattr(keywords, f"{venue.capitalize()}Credentials"), include_extras=True)
    required = {
        name: typing.get_origin(kind) is not typing.NotRequired
        for name, kind in shown.items()
        if name not in keywords.Connection.__annotations__
    }
    assert required == {option.name: option.required for option in entry_of(venue).options}


@pytest.mark.parametrize("venue", VENUES)
def test_an_unknown_credential_is_named_and_not_shown(venue: str) -> None:
    with pytest.raises(ValueError, match="password") as caught:
        connect(venue, **settings(venue, password="canary-1"))
    assert not any(canary in told(caught.value) for canary in CANARIES)


@pytest.mark.parametrize("absent", ["left out", "", None])
@pytest.mark.parametrize("venue", VENUES)
def test_a_missing_credential_is_named(venue: str, absent: str | None) -> None:
    for option in entry_of(venue).options:
        if option.required:
            given = settings(venue) | {option.name: absent}
            if absent == "left out":
                del given[option.name]
            with pytest.raises(ValueError, match=rf"\b{option.name}\b") as caught:
                connect(venue, **given)
            assert not any(canary in told(caught.value) for canary in CANARIES)


@pytest.mark.parametrize("venue", VENUES)
def test_a_secret_may_come_as_a_secret_already(venue: str) -> None:
    secrets = {option.name for option in entry_of(venue).options if option.secret}
    given = {
        name: Secret.of(value) if name in secrets else value for name, value in CREDENTIALS[venue].items()
    }
    assert isinstance(connect_with(venue, given, base_url=URL), Client)


@pytest.mark.parametrize("bad", ["line\r\nbreak", "caf\u00e9", "\ud800", 5, b"bytes"])
@pytest.mark.parametrize("venue", VENUES)
def test_a_name_that_no_header_can_carry_is_refused(venue: str, bad: Any) -> None:
    first = entry_of(venue).options[0].name
    with pytest.raises((ValueError, TypeError), match=first):
        connect(venue, **settings(venue, **{first: bad}))


@pytest.mark.parametrize("garbage", ["canary", "0xcanary", "\ud800canary", "canary" * 1000])
@pytest.mark.parametrize("venue", VENUES)
def test_an_unusable_secret_shows_nowhere(venue: str, garbage: str) -> None:
    for option in entry_of(venue).options:
        if option.secret:
            try:
                text = repr(connect(venue, **settings(venue, **{option.name: garbage})))
            except ValueError as error:
                text = told(error)
            assert not any(canary in text for canary in CANARIES)


def test_an_unknown_venue_is_refused_with_those_that_there_are() -> None:
    name: Any = "elsewhere"
    with pytest.raises(ValueError, match="bitmart, sunx, zoomex, alphapo, edgex") as caught:
        connect(name, api_secret="canary-1")
    assert "canary" not in told(caught.value)


@pytest.mark.parametrize("venue", VENUES)
def test_only_the_venue_that_is_used_is_loaded(venue: str) -> None:
    code = (
        "import sys; from penstock.client import VENUES, entry_of; before = set(sys.modules); "
        f"entry_of({venue!r}); "
        "print([v for v in VENUES if f'penstock.client.{v}' in before], "
        "[v for v in VENUES if f'penstock.client.{v}' in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True)
    assert ran.stdout.strip() == f"[] ['{venue}']"


@pytest.mark.parametrize("venue", VENUES)
def test_advice_is_half_a_line(venue: str) -> None:
    entry = entry_of(venue)
    assert entry.name == venue
    for code, what in entry.advice.items():
        assert code
        assert what
        assert len(what) <= 120
        assert "\n" not in what
