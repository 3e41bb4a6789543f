"""The product of an order line: named by the source's key, by the source's own code, or (freight, fees ...) the bridge's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from loaders.delivering import lookups, references
from loaders.sales.products import SERVICES, service_external_id

if TYPE_CHECKING:
    from loaders.delivering.references import Reference
    from loaders.delivering.work import Work

Payload = Mapping[str, Any]


class LineProducts:
    """The products of many lines, looked up at once. Lines are (source, payload)."""

    def __init__(self, work: Work, lines: Sequence[tuple[str, Payload]]) -> None:
        self._work = work
        wanted = [line for line in lines if line[1].get("kind") not in SERVICES]
        by_key = [key for source, payload in wanted if (key := _record(source, payload))]
        by_code = [(source, code) for source, payload in wanted if (code := payload.get("product_channel_sku"))]
        self._by_key = references.records(work.connection, by_key)
        self._by_code = references.products_by_channel_sku(work.connection, by_code)

    def missing(self, source: str, payload: Payload) -> str | None:
        """Return what the line has to wait for; None where its product is in Odoo."""
        if payload.get("kind") in SERVICES:
            return None
        found = self._found(source, payload)
        if found is not None:
            return None if found.is_bound else found.canonical_id
        record = _record(source, payload)
        return record or lookups.product_by_channel_sku(source, payload.get("product_channel_sku") or "")

    def external_id(self, source: str, payload: Payload) -> str:
        """Return the product's external id; only for lines that miss nothing."""
        if payload["kind"] in SERVICES:
            return service_external_id(self._work, payload["kind"])
        found = self._found(source, payload)
        assert found is not None, "ask `missing` first"
        return self._work.external_id(found.canonical_id, found)

    def name(self, source: str, payload: Payload) -> str:
        """Return what the line says: its own description, else the product's name (Odoo wants one)."""
        found = self._found(source, payload)
        return payload.get("description") or (found.name if found else None) or SERVICES.get(payload["kind"]) or "-"

    def _found(self, source: str, payload: Payload) -> Reference | None:
        record = _record(source, payload)
        if record is not None:
            return self._by_key.get(record)
        return self._by_code.get((source, payload.get("product_channel_sku") or ""))


def _record(source: str, payload: Payload) -> str | None:
    key = payload.get("product_key")
    return lookups.record("product", source, key) if key else None
