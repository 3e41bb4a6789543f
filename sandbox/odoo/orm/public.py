"""The methods that every model offers to callers. Business models derive from `PublicModel` and add their own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sandbox.odoo.importing.load import load
from sandbox.odoo.orm import reading, writing
from sandbox.odoo.orm.environment import Env
from sandbox.odoo.orm.external_ids import ensure_names
from sandbox.odoo.orm.model import Model, Values, api_model, api_records


class PublicModel(Model):
    """A model whose records callers may search, read, load, create, write and delete."""

    @api_model
    def load(self, env: Env, fields: Sequence[str], data: Sequence[Sequence[Any]]) -> Values:
        """Create or update records from a matrix of text cells; see `sandbox.odoo.importing.load`."""
        return load(self, env, fields, data)

    @api_model
    def create(self, env: Env, vals_list: Values | list[Values]) -> int | list[int]:
        """New records; one id for one dict, a list for a list."""
        if isinstance(vals_list, dict):
            return writing.create(self, env, [vals_list])[0]
        return writing.create(self, env, vals_list)

    @api_records
    def write(self, env: Env, ids: list[int], vals: Values) -> bool:
        """The same values for all of `ids`."""
        writing.write(self, env, {one: dict(vals) for one in ids})
        return True

    @api_records
    def unlink(self, env: Env, ids: list[int]) -> bool:
        """Delete the records; those already gone are no error, as in Odoo."""
        writing.unlink(self, env, ids)
        return True

    @api_model
    def search(
        self, env: Env, domain: Sequence[Any], offset: int = 0, limit: int | None = None, order: str | None = None
    ) -> list[int]:
        """Ids of the records that fulfil `domain`."""
        return reading.search(self, env, domain, offset=offset, limit=limit, order=order)

    @api_model
    def search_count(self, env: Env, domain: Sequence[Any], limit: int | None = None) -> int:
        """How many records fulfil `domain`."""
        return reading.search_count(self, env, domain, limit=limit)

    @api_model
    def search_read(
        self, env: Env, domain: Sequence[Any] | None = None, fields: Sequence[str] | None = None, offset: int = 0,
        limit: int | None = None, order: str | None = None, **read_kwargs: Any,
    ) -> list[Values]:  # fmt: skip
        """Search and read in one call."""
        ids = reading.search(self, env, domain or [], offset=offset, limit=limit, order=order)
        return self._shown(reading.read(self, env, ids, fields), read_kwargs.get("load", "_classic_read"))

    @api_records
    def export_data(self, env: Env, ids: list[int], fields_to_export: Sequence[str]) -> Values:
        """External ids of records, made where there are none; no other column is exported here."""
        assert list(fields_to_export) == ["id"], "the stand-in exports external ids only"
        return {"datas": [[name] for name in ensure_names(env, self.name, ids)]}

    @api_records
    def read(
        self, env: Env, ids: list[int], fields: Sequence[str] | None = None, load: str | None = "_classic_read"
    ) -> list[Values]:
        """The records' fields; ids that do not exist are left out, as in Odoo."""
        return self._shown(reading.read(self, env, ids, fields), load)

    def _shown(self, records: list[Values], load: str | None) -> list[Values]:
        """Without `_classic_read` a many2one is its bare id."""
        if load == "_classic_read":
            return records
        for record in records:
            for name, value in record.items():
                if value and self.fields[name].kind == "many2one":
                    record[name] = value[0]
        return records

    @api_model
    def name_search(
        self, env: Env, name: str = "", args: Sequence[Any] | None = None, operator: str = "ilike",
        limit: int | None = 100,
    ) -> list[list[Any]]:  # fmt: skip
        """[id, display name] of the records whose name matches."""
        return reading.name_search(self, env, name, args or [], operator, limit)

    @api_model
    def fields_get(
        self, env: Env, allfields: Sequence[str] | None = None, attributes: Sequence[str] | None = None
    ) -> dict[str, Values]:
        """What a client may know of the fields."""
        return reading.fields_get(self, allfields, attributes)

    @api_model
    def default_get(self, env: Env, fields_list: Sequence[str]) -> Values:
        """The defaults of the named fields that have one."""
        given = {key[8:]: value for key, value in env.context.items() if key.startswith("default_")}
        values = self.default_values(env) | given
        return {name: values[name] for name in fields_list if name in values}

    @api_model
    def check_access_rights(self, env: Env, operation: str, raise_exception: bool = True) -> bool:
        """Every logged-in user may do everything: the stand-in has no access rules."""
        return True

    @api_records
    def has_access(self, env: Env, ids: list[int], operation: str) -> bool:
        """Every logged-in user may do everything: the stand-in has no access rules."""
        return True

    @api_records
    def get_external_id(self, env: Env, ids: list[int]) -> dict[int, str]:
        """Each record's first external id, empty where it has none."""
        rows = env.rows(
            "SELECT DISTINCT ON (res_id) res_id, module || '.' || name FROM ir_model_data"
            " WHERE model = %s AND res_id = ANY(%s::int[]) ORDER BY res_id, id",
            [self.name, ids],
        )
        return dict.fromkeys(ids, "") | {row[0]: row[1] for row in rows}

    @api_records
    def exists(self, env: Env, ids: list[int]) -> list[int]:
        """Those of `ids` that exist."""
        absent = set(self.missing(env, ids))
        return [one for one in ids if one not in absent]
