"""A line says what was to be reached, and whether it was."""

from __future__ import annotations

import pytest

from penstock.bench import intake, latency, overload
from penstock.bench.aims import Aim, judged
from penstock.bench.start import slowest_imports


@pytest.mark.parametrize(
    "value, met",
    [(0.89, False), (0.9, True), (3, True), (None, False), ("much", False)],
)
def test_at_least_is_met_from_the_bound_on_and_never_by_a_missing_figure(value: object, met: bool) -> None:
    line = judged({"ratio": value}, [Aim("ratio", at_least=0.9)])
    assert line == {"ratio": value, "aim": {"ratio": ">= 0.9"}, "met": met}


def test_every_aim_of_a_line_must_be_met() -> None:
    aims = (Aim("p50_ms", at_most=8.0), Aim("p99_ms", at_most=25.0))
    assert judged({"p50_ms": 8.0, "p99_ms": 25.0}, aims)["met"] is True
    assert judged({"p50_ms": 8.0, "p99_ms": 25.1}, aims)["met"] is False


def test_without_an_aim_nothing_is_met_or_missed() -> None:
    assert judged({"a": 1}, ()) == {"a": 1, "aim": None, "met": None}


def test_an_aim_names_its_line_for_each_database_and_number_of_clients() -> None:
    assert {key: [aim.text for aim in aims] for key, aims in intake.AIMS.items()} == {
        ("sqlite", 64): [">= 0.5", ">= 3.5"],
        ("postgresql", 256): [">= 3"],
        ("postgresql", 32): [">= 1.5"],
    }
    assert [aim.text for aim in latency.AIMS] == ["<= 8", "<= 25", "<= 0"]


def test_an_overload_that_was_not_offered_is_not_met() -> None:
    line = {"p99_ratio": 1.0, "goodput_ratio": 1.0, "defects_count": 0, "lost": 0, "refused_p99_ms": 9.0}
    aims = overload.aims(5.0, refused=True)
    assert judged({**line, "sent_of_top": 4.6}, aims)["met"] is True
    assert judged({**line, "sent_of_top": 4.4}, aims)["met"] is False


def test_the_slowest_imports_are_told_by_their_quickest_run() -> None:
    first = (
        "import time: self [us] | cumulative | imported package\nimport time:       900 |        900 | a\n"
    )
    second = "import time:       100 |        950 | a\nimport time:       300 |        400 |   b.c\n"
    assert list(slowest_imports([first, second]).items()) == [("b.c", 300), ("a", 100)]
    assert slowest_imports([first, second], shown=1) == {"b.c": 300}
