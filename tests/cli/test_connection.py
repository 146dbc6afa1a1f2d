"""Where credentials come from, and that a bad file never shows what is in it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from penstock.cli.connection import Access, access_in
from penstock.cli.terminal import Failure
from penstock.core.secret import Secret
from tests.cli.conftest import Ran, Site
from tests.client.fake_bitmart import KEY, MEMO, SECRET


def revealed(access: Access, name: str) -> str:
    secret = access.credentials[name]
    assert isinstance(secret, Secret)
    return secret.reveal().decode()


def test_a_toml_file_says_where_the_secrets_are(site: Site) -> None:
    access = access_in("bitmart", Path(site.toml))
    assert access.credentials["api_key"] == KEY
    assert [revealed(access, name) for name in ("api_secret", "memo")] == [SECRET, MEMO]


def test_a_sandboxs_file_is_taken_too(site: Site) -> None:
    access = access_in("bitmart", Path(site.sandbox_json))
    assert (access.base_url, revealed(access, "api_secret")) == (site.base_url, SECRET)
    assert access.confirmations == {"ethereum": 12}
    assert SECRET not in repr(access)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[bitmart",
        '{"venues": ',
        '{"venues": {}}',
        "[" * 10_000,
        '{"a":' * 10_000,
        '[bitmart]\napi_key = "k"\napi_secret = "canary-5"\nmemo = "m"',
        '[bitmart]\napi_key = "k"\napi_secret = {env = "NOT_SET_ANYWHERE"}\nmemo = {env = "A_MEMO"}',
        '[bitmart]\napi_key = "k"\napi_secret = {file = "missing"}\nmemo = {env = "A_MEMO"}',
        '[bitmart]\napi_key = 5\napi_secret = "canary-5"',
        '[bitmart]\npassword = "canary-5"',
        "bitmart = 5",
        "\x00",
    ],
)
def test_a_bad_file_is_told_without_its_content(
    site: Site, penstock: Callable[..., Ran], tmp_path: Path, text: str
) -> None:
    path = tmp_path / "bad.toml"
    path.write_text(text)
    ran = penstock("balance", "--config", str(path))
    assert ran.code == 2
    assert "canary" not in ran.err
    assert not site.fake.seen


def test_a_file_that_is_too_large_is_not_read_on(tmp_path: Path) -> None:
    path = tmp_path / "large.toml"
    path.write_text("#" * (1024 * 1024 + 1))
    with pytest.raises(Failure, match="larger"):
        access_in("bitmart", path)
