"""All SQL: loads what a decision needs, writes what it returns."""
