"""What failures have in common: a cause is a kind of error, an entity, and the words without what is one record's own.

Pure. Ids of causes are stable: the same words give the same id tomorrow and in another database.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from config.errors import ErrorKind
from loaders.odoo.access import denied

_QUOTED = re.compile(r"""(['"`])(?:(?!\1).)*\1|“[^”]*”|«[^»]*»""")
_RECORD = re.compile(r"\b[a-z_]+[:#][^\s,;]*")
_WITH_DIGITS = re.compile(r"[^\s,;()]*\d[^\s,;()]*")
_SPACE = re.compile(r"\s+")

# The first that is found in the words, for a kind of error (None: any), says what to do.
_ADVICE: tuple[tuple[ErrorKind | None, str, str], ...] = (
    (
        ErrorKind.INVALID_RECORD,
        r"maps\.yaml",
        "Add the word to maps.yaml; a running lane takes it up and reads the row.",
    ),
    (ErrorKind.INVALID_RECORD, r"can't be computed|beyond", "Mend the row at the source, or the mapping's expression."),
    (
        ErrorKind.INVALID_RECORD,
        r"missing",
        "Give the value at the source, or a default in the mapping; either is taken up without a replay.",
    ),
    (ErrorKind.INVALID_RECORD, r"", "Mend the row at the source, or its mapping; either is taken up without a replay."),
    (ErrorKind.POLICY, r"", "Say it in the policies and restart the operational lane; it then goes by itself."),
    (
        ErrorKind.WAITING,
        r"product",
        "List the product under that code, at the source or in its mapping; it then goes by itself.",
    ),
    (ErrorKind.WAITING, r"odoo#", "Make it in Odoo, named as the policies name it; a minute later it goes by itself."),
    (ErrorKind.WAITING, r"", "See what it waits for with `causeway dead show`, and mend that; it then goes by itself."),
    (
        None,
        r"access|not allowed|allowed to|permission",
        "Give the bridge's user in Odoo that right, then replay the cause.",
    ),
    (
        None,
        r"barcode|already|unique|duplicate",
        "Two records claim one value in Odoo: mend one, or `causeway identity link` them.",
    ),
    (
        None,
        r"external id|[Nn]o matching",
        "Odoo has nothing of that name: mend the row, or make it in Odoo and replay the cause.",
    ),
    (None, r"book a return", "Book the return in Odoo, then replay; or resolve the record."),
    (None, r"gone from Odoo", "Somebody deleted it in Odoo: waive the record, or replay once it is there again."),
    (None, r"asks a person", "Answer Odoo's question there, then resolve the record or replay it."),
    (ErrorKind.TRANSIENT, r"", "Odoo failed too often: look at its log, then replay the cause."),
    (ErrorKind.UNKNOWN_OUTCOME, r"", "Odoo did not answer in time: look at its log, then replay the cause."),
    (
        None,
        r"",
        "Mend what Odoo's words name, at the source or in Odoo; a changed row goes by itself, otherwise replay the cause.",
    ),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Failure:
    """One record that is not in Odoo, as far as its cause is concerned. `words`: Odoo's, or what it waits for."""

    record_id: str
    entity: str
    kind: str | None
    words: str
    at: datetime


@dataclass(kw_only=True, slots=True)
class Cause:
    """Failures of one kind with the same words. `example`: the latest one's record. `suggestion`: what to do about it."""

    cause_id: str
    entity: str
    kind: str | None
    words: str
    records: int
    first_seen_at: datetime
    last_seen_at: datetime
    example: str
    suggestion: str


def normalised(words: str) -> str:
    """Return the words without names in quotes, ids of records, numbers and codes with digits."""
    for pattern, sign in ((_QUOTED, "…"), (_RECORD, "…"), (_WITH_DIGITS, "#")):
        words = pattern.sub(sign, words)
    return _SPACE.sub(" ", words).strip()


def cause_id(entity: str, kind: str | None, words: str) -> str:
    """Return the id of a failure's cause: 8 hexadecimal digits."""
    text = f"{entity}|{kind or ''}|{normalised(words)}"
    return hashlib.blake2b(text.encode(), digest_size=4).hexdigest()


def suggestion(kind: str | None, words: str) -> str:
    """Return what a person does about a failure in these words; of a missing right in Odoo, who lacks it and which group has it."""
    right = denied(words)
    if right is not None:
        return f"{right.suggestion} Then replay the cause."
    fitting = (text for of, pattern, text in _ADVICE if of in (None, kind) and re.search(pattern, words))
    return next(fitting)


def by_cause(failures: Iterable[Failure]) -> list[Cause]:
    """Return the causes of these failures, the one with the most records first."""
    causes: dict[str, Cause] = {}
    for one in failures:
        found = cause_id(one.entity, one.kind, one.words)
        cause = causes.get(found)
        if cause is None:
            causes[found] = Cause(
                cause_id=found,
                entity=one.entity,
                kind=one.kind,
                words=normalised(one.words),
                records=1,
                first_seen_at=one.at,
                last_seen_at=one.at,
                example=one.record_id,
                suggestion=suggestion(one.kind, one.words),
            )
            continue
        cause.records += 1
        cause.first_seen_at = min(cause.first_seen_at, one.at)
        if one.at >= cause.last_seen_at:
            cause.last_seen_at, cause.example = one.at, one.record_id
    return sorted(causes.values(), key=lambda cause: (-cause.records, cause.entity, cause.words))
