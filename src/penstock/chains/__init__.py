"""One folder per kind of chain: build, decode, send and look up transactions; address checks."""
