"""When a callback is tried again, and which settings are refused."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.core.time import UnixMs
from penstock.webhooks.schedule import next_attempt_ms
from penstock.webhooks.settings import RETRY_MINUTES, WebhookSettings


def test_the_default_pauses_are_the_venues_own() -> None:
    # CryptoProcessing docs, Callbacks: minutes after the previous attempt, twelve retries.
    table = "1 5 15 30 60 90 120 180 240 240 240 240"
    at_ms, pauses = UnixMs(0), []
    for tries in range(12):
        later = next_attempt_ms(RETRY_MINUTES, tries, at_ms)
        assert later is not None
        pauses.append((later - at_ms) // 60_000)
        at_ms = later
    assert " ".join(map(str, pauses)) == table
    assert next_attempt_ms(RETRY_MINUTES, 12, at_ms) is None


def test_without_retries_the_first_failure_is_the_end() -> None:
    assert next_attempt_ms((), 0, UnixMs(5)) is None


@given(st.lists(st.integers(1, 10_000), max_size=20), st.integers(0, 30), st.integers(0, 2**45))
def test_an_attempt_is_always_later_or_never(minutes: list[int], tries: int, now_ms: int) -> None:
    later = next_attempt_ms(minutes, tries, UnixMs(now_ms))
    assert (later is None) == (tries >= len(minutes))
    assert later is None or later >= now_ms + 60_000


@pytest.mark.parametrize(
    "wrong",
    [
        'allowed_private = ["loopback"]',
        'allowed_private = ["127.0.0.1/8"]',
        'allowed_private = ["10.0.0.0/33"]',
        "retry_minutes = [0]",
        "retry_minutes = [10081]",
        f"retry_minutes = {[1] * 51}",
        "timeout_s = 0",
        "timeout_s = 61",
        "concurrency = 1",
        "concurrency = 65",
        "per_account = 0",
        "per_account = 9",
        "retries = 3",
    ],
)
def test_a_setting_out_of_bounds_is_refused_when_it_is_read(wrong: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.toml.decode(wrong, type=WebhookSettings)


def test_settings_are_read_from_toml() -> None:
    text = 'allowed_private = ["127.0.0.0/8", "::1/128"]\nretry_minutes = [1, 2]\ntimeout_s = 3\nconcurrency = 4\n'
    settings = msgspec.toml.decode(text, type=WebhookSettings)
    assert [str(block) for block in settings.allowed_blocks()] == ["127.0.0.0/8", "::1/128"]
    assert (settings.retry_minutes, settings.timeout_s, settings.concurrency) == ((1, 2), 3, 4)


def test_by_default_nothing_private_is_allowed() -> None:
    assert WebhookSettings().allowed_blocks() == ()
