"""numeric in its binary form, as 128-bit decimals, all rows in step; and as text, where a decimal cannot hold it.

Source: numeric_send in src/backend/utils/adt/numeric.c: int16 count of digits, weight of the first one, sign and decimals to be
shown, then the digits, to base 10000: a digit's worth is 10000 to the power of its weight. No first or last digit is 0.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cdc.protocol import protocol_error
from cdc.wire import Bools, Int64s, UInt64s, Wire

_HEADER = struct.Struct(">hhHH")
_PLUS, _MINUS, _NAN, _INFINITY, _MINUS_INFINITY = 0x0000, 0x4000, 0xC000, 0xD000, 0xF000
_WORDS = {_NAN: "NaN", _INFINITY: "Infinity", _MINUS_INFINITY: "-Infinity"}
_BASE, _BASE_DIGITS = 10_000, 4
_LENGTH_BYTES, _DIGIT_BYTES, _READ_BYTES = 4, 2, 16
_IN_HEAD = 2  # digits among the 16 bytes that a value begins with
# Numbers are summed up in limbs of so many decimal digits: of one where all fit 64 bits, else of three that fit them one by one.
_NARROW, _LIMB = 18, 12
_HALF_LIMB, _NOTHING = np.uint64(10 ** (_LIMB // 2)), np.zeros(1, dtype=np.uint64)
_32, _LOW_32 = np.uint64(32), np.uint64(0xFFFF_FFFF)


@dataclass(slots=True)
class Numbers:
    """Numerics on the wire (n,). `at`: where the length of each stands; `head`: the 16 bytes from there on.

    `count`: of digits, 0 of a null; `weight`: of the first one.
    """

    wire: Wire
    at: Int64s
    head: UInt64s
    count: Int64s
    weight: Int64s
    sign: Int64s

    def digit(self, number: int) -> Int64s:
        """Return a digit of each, 0 where it has fewer."""
        if number < _IN_HEAD:
            digits = _int16(self.head, _LENGTH_BYTES + _HEADER.size + _DIGIT_BYTES * number)
        else:
            digits = self.wire.int16(np.minimum(self.at + self._offset(number), len(self.wire.buffer) - _READ_BYTES))
        if number >= self.count.min(initial=0):
            digits[self.count <= number] = 0
        return digits

    @staticmethod
    def _offset(number: int) -> int:
        return _LENGTH_BYTES + _HEADER.size + _DIGIT_BYTES * number


def numbers(wire: Wire, at: Int64s, head: UInt64s, length: Int64s, valid: Bools | None) -> Numbers:
    """Look at numerics whose int32 length stands at `at`; `head`: the 16 bytes from there on."""
    count, weight, sign = (_int16(head, _LENGTH_BYTES + part) for part in (0, 2, 4))
    sign &= 0xFFFF
    unlike = (length != _HEADER.size + _DIGIT_BYTES * count) | (count < 0)
    if (sign & ~_MINUS).any():
        unlike |= (sign & ~_MINUS != 0) & ((count != 0) | ~np.isin(sign, list(_WORDS)))
    if valid is not None:
        unlike &= valid
        count[~valid] = 0
        sign[~valid] = _PLUS
    if unlike.any():
        raise protocol_error("a numeric is not built as one")
    return Numbers(wire, at, head, count, weight, sign)


def _int16(head: UInt64s, offset: int) -> Int64s:
    lying: NDArray[np.int16] = np.ndarray((len(head),), ">i2", head, offset, (_READ_BYTES,))
    return lying.astype(np.int64)


def decimals(of: Numbers, precision: int, scale: int) -> tuple[UInt64s, Bools]:
    """Return the numbers times 10**scale as 128-bit integers (n, 2), low word first, and which of them are not held.

    Not held: NaN and infinity, decimals behind the last one, and more digits than `precision`; their words mean nothing.
    """
    power = _BASE_DIGITS * of.weight + scale  # of ten, that the first digit is to be taken times
    misfit = ((of.sign & ~_MINUS) != 0) | _too_large(of, precision - scale)
    misfit |= (of.count > 0) & (power - _BASE_DIGITS * (of.count - 1) <= -_BASE_DIGITS)
    held = np.where(misfit, 0, of.count)
    most = int(np.where(held > 0, power, 0).max(initial=0)) + _BASE_DIGITS
    limbs = [_Limb(0, _NARROW)] if most <= _NARROW else _WIDE
    sums = [np.zeros(len(of.at), dtype=np.int64) for _ in limbs]
    for number in range(int(held.max(initial=0))):
        digit = of.digit(number)
        for limb, total in zip(limbs, sums, strict=True):
            total += digit * limb.worth(power)
        below = power < 0
        if below.any():  # the last digit of some: its front part only lies before the last decimal
            divisor = 10 ** (-scale % _BASE_DIGITS)
            front = digit // divisor
            misfit |= below & (front * divisor != digit)
            sums[0] += np.where(below, front, 0)
        power = power - _BASE_DIGITS
    return _words(sums, of.sign == _MINUS), misfit


def _too_large(of: Numbers, whole_digits: int) -> Bools:
    highest = (whole_digits - 1) // _BASE_DIGITS
    large = (of.weight > highest) & (of.count > 0)
    if whole_digits % _BASE_DIGITS and (of.weight == highest).any():
        large |= (of.weight == highest) & (of.digit(0) >= 10 ** (whole_digits % _BASE_DIGITS))
    return large


class _Limb:
    """The powers of ten from `first` up to before `first + span`."""

    def __init__(self, first: int, span: int) -> None:
        self._first, self._span = first, span
        # Below and above them a digit is worth nothing here.
        self._worth = np.array([0, *(10**power for power in range(span)), 0], dtype=np.int64)

    def worth(self, power: Int64s) -> Int64s:
        """Return what a digit at each power of ten is to be taken times in this limb."""
        worth: Int64s = self._worth[np.clip(power - self._first, -1, self._span) + 1]
        return worth


# A number of up to 38 digits has its first one at a power of up to 36.
_WIDE = [_Limb(0, _LIMB), _Limb(_LIMB, _LIMB), _Limb(2 * _LIMB, _LIMB + _BASE_DIGITS)]


def _words(limbs: list[Int64s], negative: Bools) -> UInt64s:
    if len(limbs) == 1:
        words = np.empty((len(negative), 2), dtype=np.int64)
        words[:, 0] = np.where(negative, -limbs[0], limbs[0])
        words[:, 1] = words[:, 0] >> 63
        return words.view(np.uint64)
    low, high = limbs[-1].astype(np.uint64), np.zeros(len(negative), dtype=np.uint64)
    for limb in reversed(limbs[:-1]):
        low, high = _times_and_plus(
            *_times_and_plus(low, high, _HALF_LIMB, _NOTHING), _HALF_LIMB, limb.astype(np.uint64)
        )
    # Two's complement: all bits turned, and one added.
    turned = ~low + np.uint64(1)
    carried = ~high + (turned == 0).astype(np.uint64)
    return np.column_stack((np.where(negative, turned, low), np.where(negative, carried, high)))


def _times_and_plus(low: UInt64s, high: UInt64s, factor: np.uint64, term: UInt64s) -> tuple[UInt64s, UInt64s]:
    """Multiply 128-bit numbers by a factor below 2**32 and add a term, half a word at a time."""
    first = (low & _LOW_32) * factor + term
    second = (low >> _32) * factor + (first >> _32)
    return (second << _32) | (first & _LOW_32), high * factor + (second >> _32)


def numeric_text(data: bytes) -> str:
    """Write one numeric as numeric_out does."""
    count, weight, sign, shown = _HEADER.unpack_from(data)
    if sign in _WORDS:
        return _WORDS[sign]
    whole = 0
    for digit in struct.unpack_from(f">{count}h", data, _HEADER.size):
        whole = whole * _BASE + digit
    power = _BASE_DIGITS * (weight - count + 1) + shown  # of the last digit, with `shown` decimals before the point
    whole = whole * 10**power if power >= 0 else whole // 10**-power
    text = str(whole).zfill(shown + 1)
    before, behind = (text[:-shown], text[-shown:]) if shown else (text, "")
    return ("-" if sign == _MINUS else "") + before + ("." if shown else "") + behind
