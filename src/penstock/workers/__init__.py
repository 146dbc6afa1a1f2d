"""Record the intent, act, record the result."""
