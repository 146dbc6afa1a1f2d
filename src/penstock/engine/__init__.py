"""The rules, pure and synchronous: states, decide functions, ledger postings. No IO, clock or randomness."""
