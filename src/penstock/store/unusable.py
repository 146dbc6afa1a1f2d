"""Why a database cannot be used."""

from __future__ import annotations


class StoreUnusable(Exception):
    """The database cannot be opened safely; the message says what to do. The service must not start."""
