"""Penstock: five venues' withdrawal APIs in front of one engine."""
