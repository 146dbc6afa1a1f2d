"""One folder per venue: pure bytes to values and back."""
