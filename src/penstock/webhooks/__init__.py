"""Callbacks: telling a customer's own server what becomes of a withdrawal.

Where one may go (`addresses`, `target`), one POST (`delivery`), when it is tried again (`schedule`), how the places to
send are shared out (`slots`), and one event from the outbox to its record (`telling`). What a callback says is the
venue's; who sends them is `workers/webhook_worker.py`.
"""
