"""The gate, the application, health and the admin API."""
