"""Odoo, called: the one client that the loaders use, over whichever protocol the Odoo speaks (`loaders.odoo.rpc`).

Contract: raises OdooError only. A lost race is sent again a few times; everything else is the caller's to decide. Waits where the
settings, or Odoo, ask for fewer calls a second. Not thread-safe: one client a deliverer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_random_exponential

from config.errors import ErrorKind
from config.failpoints import failpoint
from config.settings import OdooSettings
from loaders.money.journal import Journal
from loaders.odoo.companies import company_context
from loaders.odoo.odoo_errors import OdooError
from loaders.odoo.odoo_versions import Dialect, dialect_of
from loaders.odoo.rpc.calls import READING, kind_of_call
from loaders.odoo.rpc.chosen import transport_for
from loaders.odoo.rpc.token_bucket import TokenBucket
from loaders.odoo.rpc.transport import Transport

QUIET: Mapping[str, Any] = {
    "tracking_disable": True,
    "mail_create_nolog": True,
    "mail_notrack": True,
    "mail_create_nosubscribe": True,
    "no_reset_password": True,
    "no_vat_validation": True,
    "tz": "UTC",  # load() reads date cells in the context's zone (ir_fields.py, _str_to_datetime)
}
_RACE_ATTEMPTS = 5

Record = dict[str, Any]


class OdooClient:
    """A logged-in user of one Odoo. Connects at the first call."""

    def __init__(self, settings: OdooSettings) -> None:
        self._settings = settings
        self._transport: Transport | None = None
        self._bucket = TokenBucket(settings.max_calls_s, settings.burst_calls)
        self._user_id: int | None = None
        self.journal = Journal()
        self.carried_out = 0  # calls that change things, of which Odoo has said that they are done

    @property
    def version(self) -> str:
        """Odoo's version, e.g. ``18.0``."""
        return self._connected().version

    @property
    def user_id(self) -> int:
        """The user's id in Odoo; logs in if that has not been done. Raises OdooError."""
        if self._user_id is None:
            self.login()
        return self._user_id or 0

    @property
    def known_user_id(self) -> int | None:
        """The same, if we have logged in by now; asks nobody."""
        return self._user_id or None

    def login(self) -> None:
        """Make sure of the user. Raises OdooError: AUTHENTICATION, SETTINGS (no such database), CONNECTION, ..."""
        self._user_id = self._connected().login()

    @property
    def dialect(self) -> Dialect:
        """What this Odoo's version calls things."""
        return dialect_of(self.version)

    def call(
        self,
        model: str,
        method: str,
        args: Sequence[Any],
        *,
        context: Mapping[str, Any] | None = None,
        company_id: int | None = None,
        **named: Any,
    ) -> Any:
        """Call a public method of a model in the quiet context; a method without a result gives None.

        `company_id`: the company that is active for this call; none: the user's own.
        """
        if self._user_id is None:
            self.login()  # the first call does so anyway: now we know who we are
        everything = {**named, "context": {**QUIET, **company_context(company_id), **(context or {})}}
        if method not in READING:
            failpoint("delivery.before_call")
        try:
            result = self._send_again_after_a_race(model, method, args, everything)
        except OdooError as error:
            if error.kind is ErrorKind.UNKNOWN_OUTCOME and method not in READING:
                self.journal.note_lost(model, method, args)
            raise
        if method not in READING:
            self.carried_out += 1
            self.journal.note(model, method, args, result)
            failpoint("delivery.after_call")
        return result

    def probe(self) -> None:
        """Make one small call that changes nothing. Raises OdooError where Odoo does not answer it."""
        self.search_read("res.users", [["id", "=", 0]], ["id"])

    def search_read(
        self,
        model: str,
        domain: Sequence[Any],
        fields: Sequence[str],
        *,
        order: str = "id",
        archived: bool = False,
        company_id: int | None = None,
    ) -> list[Record]:
        """Return all records of the domain with these fields (and `id`)."""
        context = {"active_test": False} if archived else None
        found: list[Record] = self.call(
            model,
            "search_read",
            [list(domain)],
            context=context,
            company_id=company_id,
            # No fields are all fields to Odoo, among them some that the user may not read, or that cost much.
            fields=list(fields) or ["id"],
            order=order,
        )
        return found

    def read_by_id(
        self, model: str, ids: Sequence[int], fields: Sequence[str], *, company_id: int | None = None
    ) -> dict[int, Record]:
        """Return these records by id; those that no longer exist are left out (Odoo's read() drops them)."""
        rows: list[Record] = self.call(model, "read", [list(ids), list(fields)], company_id=company_id) if ids else []
        return {row["id"]: row for row in rows}

    def write(
        self, model: str, ids: Sequence[int], values: Mapping[str, Any], *, company_id: int | None = None
    ) -> None:
        """Write the same values to these records."""
        self.call(model, "write", [list(ids), dict(values)], company_id=company_id)

    def close(self) -> None:
        """Close the connection; the next call opens another, and chooses its protocol anew."""
        if self._transport is not None:
            self._transport.close()
            self._transport = None

    def _send_again_after_a_race(self, *call: Any) -> Any:
        again = Retrying(
            retry=retry_if_exception(_may_be_sent_again),
            stop=stop_after_attempt(_RACE_ATTEMPTS),
            wait=wait_random_exponential(multiplier=0.1, max=2),
            reraise=True,
        )
        return again(self._send, *call)

    def _send(self, model: str, method: str, args: Sequence[Any], named: Mapping[str, Any]) -> Any:
        self._bucket.take()
        try:
            return self._connected().call(model, method, args, named, kind_of_call(method))
        except OdooError as error:
            if error.kind is ErrorKind.THROTTLED:
                self._bucket.throttled(error.retry_after_s)
            raise

    def _connected(self) -> Transport:
        if self._transport is None:
            self._transport = transport_for(self._settings)
        return self._transport


def _may_be_sent_again(error: BaseException) -> bool:
    return isinstance(error, OdooError) and error.kind is ErrorKind.TRANSIENT and error.at_once
