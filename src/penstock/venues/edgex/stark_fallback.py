"""The Stark curve in plain Python: for machines without the compiled library, and to check that library against.

Curve and constants: StarkWare docs, "STARK curve" and "Pedersen hash". No argument is checked here; `stark.py` does
that. Not constant in time: whoever can time single signatures on this machine may learn about the key that signs.
"""

from __future__ import annotations

import hmac
from functools import lru_cache

P = 0x800000000000011000000000000000000000000000000000000000000000001
"""The field's prime, 2^251 + 17 * 2^192 + 1."""
N = 0x800000000000010FFFFFFFFFFFFFFFFB781126DCAE7B2321E66A241ADC64D2F
"""The order of G."""
B = 0x6F21413EFBE40DE150E596D72F7A8C5609AD26C15C915C1F4CDFCB99CEE9E89
"""y^2 = x^3 + x + B."""
BOUND = 1 << 251
"""What r, and the number that is signed, must stay below."""

Point = tuple[int, int]

G: Point = (
    0x1EF15C18599971B7BECED415A40F0C7DEACFD9B0D1819E03D723D8BC943CFCA,
    0x5668060AA49730B7BE4801DF46EC62DE53ECD11ABE43A32873000C36E8DC1F,
)
_SHIFT: Point = (
    0x49EE3EBA8C1600700EE1B87EB599F16716B0B1022947733551FDE4050CA6804,
    0x3CA0CFE4B3BC6DDF346D49D06EA0ED34E621062C0E056C1D0405D266E10268A,
)
# For each of the two elements: the point that its low 248 bits multiply, and the one for its upper four.
_ELEMENTS: tuple[tuple[Point, Point], tuple[Point, Point]] = (
    (
        (
            0x234287DCBAFFE7F969C748655FCA9E58FA8120B6D56EB0C1080D17957EBE47B,
            0x3B056F100F96FB21E889527D41F4E39940135DD7A6C94CC6ED0268EE89E5615,
        ),
        (
            0x4FA56F376C83DB33F9DAB2656558F3399099EC1DE5E3018B7A6932DBA8AA378,
            0x3FA0984C931C9E38113E0C0E47E4401562761F92A7A23B45168F4E80FF5B54D,
        ),
    ),
    (
        (
            0x4BA4CC166BE8DEC764910F75B45F74B40C690C74709E90F3AA372F0BD2D6997,
            0x40301CF5C1751F4B971E46C4EDE85FCAC5C59A5CE5AE7C48151F27B24B219C,
        ),
        (
            0x54302DCB0E6CC1C6E44CCA8F61A63BB2CA65048D53FB325D36FF12C49A58202,
            0x1B77B3E37D13504B348046268D8AE25CE98AD783C25561A879DCC77E99C2426,
        ),
    ),
)
_LOW_BITS = 248
_LOW_MASK = (1 << _LOW_BITS) - 1
_BYTES = 32


def pedersen_hash(first: int, second: int) -> int:
    """The x coordinate of shift + first * (..) + second * (..); both elements below P."""
    terms = [(1, _SHIFT)]
    for element, (low, high) in zip((first, second), _ELEMENTS, strict=True):
        terms += [(element & _LOW_MASK, low), (element >> _LOW_BITS, high)]
    point = _sum(terms)
    assert point is not None, "nobody knows elements that hash to the point at infinity"
    return point[0]


def public_point(private_key: int) -> Point:
    """private_key: 1 to N - 1."""
    point = _sum([(private_key, G)])
    assert point is not None, "G has the order N"
    return point


def verify(public_key: int, msg_hash: int, r: int, s: int) -> bool:
    """Whether (r, s) signs `msg_hash` under either point with this x; False where there is none."""
    y = y_of(public_key)
    if y is None:
        return False
    w = pow(s, -1, N)
    for candidate in ((public_key, y), (public_key, P - y)):
        point = _sum([(msg_hash * w % N, G), (r * w % N, candidate)])
        if point is not None and point[0] == r:
            return True
    return False


def sign(private_key: int, msg_hash: int) -> tuple[int, int]:
    """(r, s), the same for the same arguments: k as in RFC 6979, section 3.2, in StarkWare's variant.

    The variant: no reduction of `msg_hash`, which is below 2^251 already, and a counter as extra entropy after a k that
    gives no signature.
    """
    attempt = 0
    while True:
        k = _nonce(private_key, msg_hash, attempt)
        r = public_point(k)[0]
        product = (msg_hash + r * private_key) % N
        w = k * pow(product, -1, N) % N if product else 0
        if 1 <= r < BOUND and 1 <= w < BOUND:
            return r, pow(w, -1, N)
        attempt += 1


@lru_cache(maxsize=4096)
def y_of(x: int) -> int | None:
    """One of the two y with (x, y) on the curve, None where no point has this x. x: below P."""
    square = (x * x * x + x + B) % P
    if square and pow(square, (P - 1) // 2, P) != 1:
        return None
    return _square_root(square)


def _square_root(square: int) -> int:
    """Tonelli and Shanks: P - 1 is an odd number times 2^192. square: one, modulo P."""
    if not square:
        return 0
    order, odd = 192, (P - 1) >> 192
    # 3 is the smallest number that is no square modulo P.
    step, rest, root = pow(3, odd, P), pow(square, odd, P), pow(square, (odd + 1) // 2, P)
    while rest != 1:
        exponent, power = 0, rest
        while power != 1:
            power = power * power % P
            exponent += 1
        factor = pow(step, 1 << (order - exponent - 1), P)
        order, step = exponent, factor * factor % P
        rest, root = rest * step % P, root * factor % P
    return root


# --- points in Jacobian coordinates: (X, Y, Z) is (X / Z^2, Y / Z^3); Z = 0 is the point at infinity --------------

_Jacobian = tuple[int, int, int]
_INFINITY: _Jacobian = (1, 1, 0)


def _sum(terms: list[tuple[int, Point]]) -> Point | None:
    """The sum of scalar * point; None for the point at infinity. Scalars are not negative."""
    total = _INFINITY
    for bit in range(max(scalar.bit_length() for scalar, _ in terms) - 1, -1, -1):
        total = _doubled(total)
        for scalar, point in terms:
            if scalar >> bit & 1:
                total = _added(total, point)
    x, y, z = total
    if not z:
        return None
    inverse = pow(z, -1, P)
    square = inverse * inverse % P
    return x * square % P, y * square * inverse % P


def _doubled(point: _Jacobian) -> _Jacobian:
    x, y, z = point
    y_squared, z_squared = y * y % P, z * z % P
    s = 4 * x * y_squared % P
    m = (3 * x * x + z_squared * z_squared) % P
    x_out = (m * m - 2 * s) % P
    return x_out, (m * (s - x_out) - 8 * y_squared * y_squared) % P, 2 * y * z % P


def _added(point: _Jacobian, affine: Point) -> _Jacobian:
    x, y, z = point
    if not z:
        return affine[0], affine[1], 1
    z_squared = z * z % P
    h = (affine[0] * z_squared - x) % P
    r = (affine[1] * z_squared * z - y) % P
    if not h:
        return _INFINITY if r else _doubled(point)
    h_squared = h * h % P
    h_cubed, v = h * h_squared % P, x * h_squared % P
    x_out = (r * r - h_cubed - 2 * v) % P
    return x_out, (r * (v - x_out) - y * h_cubed) % P, z * h % P


def _nonce(private_key: int, msg_hash: int, attempt: int) -> int:
    """The k of RFC 6979, section 3.2, over SHA-256."""
    entropy = attempt.to_bytes((attempt.bit_length() + 7) // 8, "big")
    seed = private_key.to_bytes(_BYTES, "big") + msg_hash.to_bytes(_BYTES, "big") + entropy
    key, value = bytes(_BYTES), b"\x01" * _BYTES
    for separator in (b"\x00", b"\x01"):
        key = _mac(key, value + separator + seed)
        value = _mac(key, value)
    while True:
        value = _mac(key, value)
        # The order has 252 bits, so that of each 256 the last four are dropped.
        k = int.from_bytes(value, "big") >> 4
        if 1 <= k < N:
            return k
        key = _mac(key, value + b"\x00")
        value = _mac(key, value)


def _mac(key: bytes, message: bytes) -> bytes:
    return hmac.digest(key, message, "sha256")
