"""The load generator's other loop: requests leave when they are due, whatever became of those before them.

A closed loop waits for a slow server and so asks it less when it is slow, which hides the waiting ("coordinated
omission"). Here each answer's time is counted from when its request was due. One thread, epoll, ready bytes.
"""

from __future__ import annotations

import select
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence

from penstock.bench.load import ACCEPTED, Connection, is_acceptance, outcome

NS_PER_S = 1_000_000_000
NS_PER_MS = 1_000_000
LATE_NS = NS_PER_MS
"""A request that leaves this long after it was due is late."""
START_NS = 50 * NS_PER_MS
GRACE_NS = 10 * NS_PER_S
"""So long behind the last due time answers are waited for."""
PATIENCE_NS = 3_600 * NS_PER_S
"""Longer than any run."""
_SENT_IN_A_ROW = 64
"""Then the loop looks for answers again, however many more are due."""


class OpenLoad:
    """One run. due_ns: rising times from the start; requests: as many.

    What is due when no connection is free waits for one, in order, as long as `patience_ns`; what has not left by then,
    or by the end, never does (`unsent`).
    Of requests due in the measured part: `offered`; `accepted_ns`, from due to the acceptance; `seen_ns`, the same from
    when this loop saw that it was due, so less its own lag; `answered_ns`, the same from when it left;
    `refused_ns`, from when it left to any other answer; `lag_ns`,
    from due to seen; `late`, how many left more than LATE_NS behind their time; `waited`, how many found no free
    connection. `sent`, `in_time`: what left, and what acceptances came, in the measured part of `measured_ns`.
    Of the whole run: `accepted`, `others` (by status and code), `lost` (their connection broke or stalled: outcome
    unknown), `unsent`.
    """

    def __init__(
        self,
        address: tuple[str, int],
        connections: int,
        requests: Sequence[bytes],
        due_ns: Sequence[int],
        server_cpu_ns: Callable[[], int],
        patience_ns: int = PATIENCE_NS,
    ) -> None:
        assert len(requests) == len(due_ns), (len(requests), len(due_ns))
        self._address = address
        self._requests = requests
        self._due_ns = due_ns
        self._server_cpu_ns = server_cpu_ns
        self._patience_ns = patience_ns
        self._poll = select.epoll()
        self._connections: dict[int, Connection] = {}
        self._idle: deque[Connection] = deque()
        self._waiting: deque[int] = deque()
        self._seen_ns = [0] * len(requests)
        self._start_ns = self._warm_ns = 0
        self._ends_ns = 0
        self._idle.extend(self._connect() for _ in range(connections))
        self.accepted_ns: list[int] = []
        self.seen_ns: list[int] = []
        self.answered_ns: list[int] = []
        self.refused_ns: list[int] = []
        self.lag_ns: list[int] = []
        self.others: Counter[str] = Counter()
        self.offered = self.sent = self.late = self.waited = 0
        self.accepted = self.lost = self.unsent = self.in_time = 0
        self.measured_ns = self.loader_cpu_ns = self.server_cpu_ns = 0

    @property
    def requests_count(self) -> int:
        return len(self._requests)

    def run(self, warm_ns: int, measured_ns: int) -> None:
        """Send everything when it is due; nothing may be due behind warm_ns + measured_ns."""
        due, count = self._due_ns, len(self._due_ns)
        self._warm_ns, self.measured_ns = warm_ns, measured_ns
        self._start_ns = time.monotonic_ns() + START_NS
        self._ends_ns = self._start_ns + warm_ns + measured_ns
        next_number, cpu_from = 0, (0, 0)
        while True:
            now_ns = time.monotonic_ns()
            if cpu_from == (0, 0) and now_ns >= self._start_ns + warm_ns:
                cpu_from = (time.process_time_ns(), self._server_cpu_ns())
            until = min(count, next_number + _SENT_IN_A_ROW)
            while next_number < until and self._start_ns + due[next_number] <= now_ns:
                self._come_due(next_number, now_ns)
                next_number += 1
                now_ns = time.monotonic_ns()
            if now_ns >= self._ends_ns:
                break
            wake_ns = self._start_ns + due[next_number] if next_number < count else self._ends_ns
            self._take_answers(wake_ns - time.monotonic_ns())
        self.loader_cpu_ns = time.process_time_ns() - cpu_from[0]
        self.server_cpu_ns = self._server_cpu_ns() - cpu_from[1]
        self.unsent += len(self._waiting) + count - next_number
        self.offered += sum(at >= warm_ns for at in due[next_number:])
        self._waiting.clear()
        self._await_rest()

    # ---- sending ----

    def _come_due(self, number: int, now_ns: int) -> None:
        due_at = self._start_ns + self._due_ns[number]
        self._seen_ns[number] = now_ns
        if self._counts(number):
            self.offered += 1
            self.lag_ns.append(now_ns - due_at)
        if self._idle:
            self._send(self._idle.popleft(), number, now_ns)
            return
        if self._counts(number):
            self.waited += 1
        self._waiting.append(number)

    def _send(self, connection: Connection, number: int, now_ns: int) -> None:
        connection.number = number
        connection.sent_ns = now_ns
        connection.busy = True
        self.sent += self._is_measured(now_ns)
        if self._counts(number) and now_ns - self._start_ns - self._due_ns[number] > LATE_NS:
            self.late += 1
        try:
            # A request fits an empty socket buffer whole.
            assert connection.send(self._requests[number]) == len(self._requests[number])
        except OSError:
            self._break(connection)

    def _next_waiting(self, now_ns: int) -> int | None:
        """The first that still waits; those whose patience is over have gone."""
        while self._waiting:
            number = self._waiting.popleft()
            if now_ns - self._start_ns - self._due_ns[number] <= self._patience_ns:
                return number
            self.unsent += 1
        return None

    def _counts(self, number: int) -> bool:
        return self._due_ns[number] >= self._warm_ns

    def _is_measured(self, now_ns: int) -> bool:
        return self._start_ns + self._warm_ns <= now_ns < self._ends_ns

    # ---- answers ----

    def _take_answers(self, within_ns: int) -> None:
        """Wait so long at the most, less where an answer comes; epoll counts in whole milliseconds, sleep finer."""
        if within_ns >= NS_PER_MS:
            events = self._poll.poll(within_ns // NS_PER_MS / 1_000)
        else:
            if within_ns > 0:
                time.sleep(within_ns / NS_PER_S)
            events = self._poll.poll(0)
        for descriptor, _ in events:
            self._answer(self._connections[descriptor])

    def _answer(self, connection: Connection) -> None:
        try:
            segment = connection.answer()
        except ConnectionError:
            self._break(connection)
            return
        if segment is None:
            return
        now_ns = time.monotonic_ns()
        self._note(connection, segment, now_ns)
        connection.busy = False
        self._give(connection, now_ns)

    def _give(self, connection: Connection, now_ns: int) -> None:
        """A connection is free: for what waits, else for what comes."""
        number = self._next_waiting(now_ns)
        if number is None:
            self._idle.append(connection)
        else:
            self._send(connection, number, now_ns)

    def _note(self, connection: Connection, answer: bytes, now_ns: int) -> None:
        number = connection.number
        counts = self._counts(number)
        if is_acceptance(answer, ACCEPTED):
            self.accepted += 1
            self.in_time += self._is_measured(now_ns)
            if counts:
                self.accepted_ns.append(now_ns - self._start_ns - self._due_ns[number])
                self.seen_ns.append(now_ns - self._seen_ns[number])
                self.answered_ns.append(now_ns - connection.sent_ns)
        else:
            self.others[outcome(answer)] += 1
            if counts:
                self.refused_ns.append(now_ns - connection.sent_ns)

    def _await_rest(self) -> None:
        """Take what is still on its way, and close. What does not come in time is lost."""
        until_ns = time.monotonic_ns() + GRACE_NS
        while any(connection.busy for connection in self._connections.values()):
            left_ns = until_ns - time.monotonic_ns()
            if left_ns <= 0:
                break
            self._take_answers(left_ns)
        for connection in tuple(self._connections.values()):
            self.lost += connection.busy
            self._drop(connection)
        self._idle.clear()

    # ---- connections ----

    def _connect(self) -> Connection:
        connection = Connection(self._address)
        self._connections[connection.socket.fileno()] = connection
        self._poll.register(connection.socket.fileno(), select.EPOLLIN)
        return connection

    def _break(self, connection: Connection) -> None:
        """The server has closed it; a new one takes its place."""
        if connection.busy:
            self.lost += 1
        else:
            self._idle.remove(connection)
        self._drop(connection)
        now_ns = time.monotonic_ns()
        if now_ns < self._ends_ns:
            self._give(self._connect(), now_ns)

    def _drop(self, connection: Connection) -> None:
        descriptor = connection.socket.fileno()
        self._poll.unregister(descriptor)
        del self._connections[descriptor]
        connection.socket.close()
