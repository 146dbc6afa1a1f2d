"""Each house rule holds in the tree, and catches what it is there to catch."""

from __future__ import annotations

import pytest

from tests.tidy.rules import RULES, Rule
from tests.tidy.source import Source, tree


def _named(rule: Rule) -> str:
    return rule.name.replace(" ", "-")


@pytest.mark.parametrize("rule", RULES, ids=_named)
def test_the_tree_keeps_the_rule(rule: Rule) -> None:
    found = [f"{source.path}:{line}: {what}" for source in tree() for line, what in rule.find(source)]
    assert not found, "\n".join([rule.name, *found])


@pytest.mark.parametrize("rule", RULES, ids=_named)
def test_the_rule_catches_every_bad_sample(rule: Rule) -> None:
    missed = [sample for sample in rule.caught if not list(rule.find(Source(*sample)))]
    assert rule.caught
    assert not missed


@pytest.mark.parametrize("rule", RULES, ids=_named)
def test_the_rule_leaves_good_samples_alone(rule: Rule) -> None:
    wronged = [sample for sample in rule.clean if list(rule.find(Source(*sample)))]
    assert rule.clean
    assert not wronged
