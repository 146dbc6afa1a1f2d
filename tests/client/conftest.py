"""BitMart's caller, for the tests of what every venue's client shares."""

from __future__ import annotations

import pytest

from tests.client.caller import Caller
from tests.client.fake_bitmart import make_caller


@pytest.fixture(params=["sync", "async"])
def caller(request: pytest.FixtureRequest) -> Caller:
    return make_caller(request.param)
