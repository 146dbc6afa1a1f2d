"""Seed data and simulated chains for trying a withdrawal without keys or funds."""
