"""Many messages joined in one buffer, and numpy views that read a number at any byte of it.

The views overlap (stride 1), so that `be32[positions]` reads one big-endian int32 at each position. The buffer ends with
padding: a read that begins inside the messages never leaves the buffer, whatever the bytes say.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cdc.protocol import protocol_error

Int64s = NDArray[np.int64]
UInt64s = NDArray[np.uint64]
Bools = NDArray[np.bool_]
Bytes = NDArray[np.uint8]

PADDING = bytes(32)
# Arrow's string_view has 32-bit offsets.
MOST_BYTES = 2**31 - 1


class Wire:
    """`buffer`: the messages and the padding. `begins`, `ends`: where each message lies in it (n, int64)."""

    __slots__ = ("_views", "begins", "buffer", "ends", "u8")

    def __init__(self, messages: Sequence[bytes], lengths: Int64s | None = None) -> None:
        """Join the messages; `lengths` (n, int64) where the caller has them."""
        if lengths is None:
            lengths = np.fromiter(map(len, messages), dtype=np.int64, count=len(messages))
        self.buffer: bytes = b"".join((*messages, PADDING))
        self.ends: Int64s = np.cumsum(lengths)
        self.begins: Int64s = self.ends - lengths
        if len(self.buffer) > MOST_BYTES:
            raise protocol_error(f"{len(self.buffer)} bytes in one piece; lower capture.batch_bytes")
        self.u8: Bytes = np.frombuffer(self.buffer, dtype=np.uint8)
        self._views: dict[str, NDArray[Any]] = {}

    def __len__(self) -> int:
        return len(self.ends)

    def _view(self, dtype: str) -> NDArray[Any]:
        view = self._views.get(dtype)
        if view is None:
            width = np.dtype(dtype).itemsize
            view = np.ndarray((len(self.buffer) - width + 1,), dtype, self.buffer, 0, (1,))
            self._views[dtype] = view
        return view

    def int16(self, at: Int64s) -> Int64s:
        """Read a big-endian int16 at each position."""
        return self._view(">i2")[at].astype(np.int64)

    def int32(self, at: Int64s) -> Int64s:
        """Read a big-endian int32 at each position."""
        return self._view(">i4")[at].astype(np.int64)

    def uint32(self, at: Int64s) -> Int64s:
        """Read a big-endian uint32 at each position."""
        return self._view(">u4")[at].astype(np.int64)

    def int64(self, at: Int64s) -> Int64s:
        """Read a big-endian int64 at each position."""
        return self._view(">i8")[at].astype(np.int64)

    def raw8(self, at: Int64s) -> UInt64s:
        """Read 8 bytes at each position, the first one in the lowest bits."""
        return self._view("<u8")[at].astype(np.uint64)

    def raw16(self, at: Int64s) -> UInt64s:
        """Read 16 bytes at each position, as two words (n, 2), each with its first byte in the lowest bits."""
        read: UInt64s = self._view("V16")[at].view(np.uint64).reshape(-1, 2)
        return read

    def message(self, index: int, skip: int = 0) -> bytes:
        """Return one message without its first `skip` bytes."""
        return self.buffer[int(self.begins[index]) + skip : int(self.ends[index])]

    def messages(self, first: int, last: int) -> Iterable[bytes]:
        """Return the bytes of messages `first` to `last` (not included), joined, as one item, or none."""
        if first < last:
            yield self.buffer[int(self.begins[first]) : int(self.ends[last - 1])]
