"""The operator's admin API: everything under /admin/v1, behind one bearer token."""

from penstock.server.admin.app import ADMIN_PATH, TOKEN_BYTES_MIN, admin_app

__all__ = ["ADMIN_PATH", "TOKEN_BYTES_MIN", "admin_app"]
