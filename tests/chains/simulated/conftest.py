"""One fresh network per test."""

from __future__ import annotations

import pytest

from tests.chains.simulated.network import Net


@pytest.fixture
def net() -> Net:
    return Net()
