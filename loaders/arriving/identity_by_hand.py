"""Which records are which thing, for people to look at, and to join or take apart with a name and a reason.

Contract: `link` and `unlink` change the outbox under `lock_writers` and are noted in the audit. What Odoo has is not merged or moved:
a record that is joined leaves its own place in Odoo as it is (and finds it again when it is taken apart); documents that are there keep
their partner or product.
"""

from __future__ import annotations

from types import TracebackType
from typing import Any, Self

from config.errors import CausewayError, ErrorKind
from config.settings import StateSettings
from loaders.named_sql import statements
from loaders.state import connect, lock_writers, prepare, translated
from loaders.tracing.audit import about, append

_LISTED_AT_MOST = 10_000
_DIFFERENCE = ("field", "record", "value", "written", "owner", "noted_at")


class Identities:
    """The identities of one state database; usable as a context manager."""

    def __init__(self, settings: StateSettings) -> None:
        prepare(settings)
        self._connection = connect(settings, application_name="causeway identity")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()

    def things(self, entity: str | None = None) -> list[dict[str, Any]]:
        """Return the things that several records are, with how each was found."""
        parameters = {"entity": entity, "limit": _LISTED_AT_MOST}
        with translated("listing identities"):
            rows = self._connection.execute(_sql("things"), parameters).fetchall()
            self._connection.commit()
        return [dict(zip(("entity", "thing", "record", "matched_by", "confidence"), row, strict=True)) for row in rows]

    def doubts(self, entity: str | None = None, thing: str | None = None) -> list[dict[str, Any]]:
        """Return the matches that were not made, and why."""
        names = ("entity", "record", "thing", "matched_by", "confidence", "why", "differs_in", "noted_at")
        parameters = {"entity": entity, "thing": thing, "limit": _LISTED_AT_MOST}
        with translated("listing doubts"):
            rows = self._connection.execute(_sql("doubts"), parameters).fetchall()
            self._connection.commit()
        return [dict(zip(names, row, strict=True)) for row in rows]

    def show(self, record_id: str) -> dict[str, Any] | None:
        """Return the thing that a record is: its records with their keys, its place in Odoo, what may be it, too, and what is not written."""
        with translated("reading an identity"), self._connection.transaction():
            known = self._connection.execute(_sql("record"), [record_id]).fetchone()
            if known is None:
                return None
            thing = known[1]
            members = self._connection.execute(_sql("members"), [thing]).fetchall()
            place = self._connection.execute(_sql("place"), [thing]).fetchone()
            differences = self._connection.execute(_sql("differences"), [thing]).fetchall()
        names = ("record", "matched_by", "confidence", "status", "operation", "keys")
        return {
            "thing": thing,
            "entity": known[0],
            "odoo": dict(zip(("model", "id"), place, strict=True)) if place else None,
            "records": [dict(zip(names, member, strict=True)) for member in members],
            "doubts": self.doubts(thing=thing),
            "differences": [dict(zip(_DIFFERENCE, row, strict=True)) for row in differences],
        }

    def link(self, record_id: str, to: str, *, by: str, reason: str) -> dict[str, Any]:
        """Make a record the thing that another one is; a record that owns others brings them along.

        Returns the `thing`, and what `left_in_odoo` the record had there by itself. Raises CausewayError where it can't be.
        """
        with translated("linking records"), self._connection.transaction():
            lock_writers(self._connection)
            entity, old = self._known(record_id)
            other, new = self._known(to)
            if entity != other:
                raise _refusal(f"{record_id} is a {entity}, {to} is a {other}: they can't be one thing.")
            if old == new:
                raise _refusal(f"{record_id} and {to} are one thing already.")
            left = self._connection.execute(_sql("place"), [old]).fetchone() if old == record_id else None
            parameters = {"record": record_id, "old": old, "new": new}
            for name in ("link_identity", "link_outbox", "owner_is_due", "settle_doubts", "release"):
                self._connection.execute(_sql(name), parameters)
            append(self._connection, about([record_id], actor=by, action="linked", note=f"to {new}: {reason}"))
        return {"thing": new, "left_in_odoo": f"{left[0]},{left[1]}" if left else None}

    def unlink(self, record_id: str, *, by: str, reason: str) -> str:
        """Make a record a thing of its own, which it stays whatever its keys say; return what it was.

        Raises CausewayError where it is one already, or owns what others are.
        """
        with translated("taking records apart"), self._connection.transaction():
            lock_writers(self._connection)
            _, old = self._known(record_id)
            if old == record_id:
                raise _refusal(
                    f"{record_id} is its own thing.",
                    hint="Where others are to leave it, unlink them: causeway identity show names them.",
                )
            parameters = {"record": record_id, "old": old, "new": record_id}
            for name in ("unlink_identity", "unlink_outbox", "release"):
                self._connection.execute(_sql(name), parameters)
            append(self._connection, about([record_id], actor=by, action="unlinked", note=f"from {old}: {reason}"))
        return old

    def _known(self, record_id: str) -> tuple[str, str]:
        row = self._connection.execute(_sql("record"), [record_id]).fetchone()
        if row is None:
            raise _refusal(f"There is no customer or product {record_id}.", hint="Ids are ENTITY:SOURCE:KEY.")
        return row[0], row[1]


def _refusal(message: str, hint: str = "Nothing was changed.") -> CausewayError:
    return CausewayError(ErrorKind.SETTINGS, message, hint=hint)


def _sql(name: str) -> Any:
    return statements("arriving/identity_by_hand.sql")[name]
