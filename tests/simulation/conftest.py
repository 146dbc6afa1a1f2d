"""A deployment per test, closed after it; and the seeds of the random walks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.fixed_columns import fixed_columns_stay  # noqa: F401 - autouse
from tests.simulation.deployment import Deployment


@pytest.fixture
def deploy(tmp_path: Path) -> Iterator[Callable[..., Deployment]]:
    made: list[Deployment] = []

    def make(**options: object) -> Deployment:
        folder = tmp_path / str(len(made))
        folder.mkdir()
        made.append(Deployment(folder, **options))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for deployment in made:
        deployment.close()
