from __future__ import annotations

import pytest

from cdc.lsn import Lsn
from cdc.visibility import Visibility


@pytest.mark.parametrize(
    ("snapshot", "xid", "seen"),
    [
        ("10:10:", 9, True),
        ("10:10:", 10, False),
        ("7:10:7,8", 7, False),
        ("7:10:7,8", 6, True),
        ("7:10:7,8", 9, True),
        (f"{2**32 + 5}:{2**32 + 5}:", 2**32 - 1, True),  # ids have 32 bits in the stream, and begin again
        (f"{2**32 + 5}:{2**32 + 5}:", 3, True),
        (f"{2**32 + 5}:{2**32 + 5}:", 5, False),
        (f"{2**32 - 3}:{2**32 + 5}:{2**32 - 3}", 2**32 - 3, False),
    ],
)
def test_a_look_sees_what_had_ended(snapshot: str, xid: int, seen: bool) -> None:
    found = Visibility.parse(snapshot, "0/10")
    assert found.as_of == Lsn(0x10)
    assert found.sees(xid) is seen
