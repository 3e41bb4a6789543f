"""What a database error in a row of load() reads like, and the same errors outside of load()."""

from __future__ import annotations

from typing import Any

import psycopg

from sandbox.odoo.errors import ValidationError
from sandbox.odoo.orm.environment import Env
from sandbox.odoo.orm.model import Model, Registry

# Odoo's own words for the checks that a client can run into.
CHECKS = {
    "res_partner_check_name": "Contacts require a name",
    "sale_order_date_order_conditional_required": "A confirmed sales order requires a confirmation date.",
    "sale_order_line_accountable_required_fields": "Missing required fields on accountable sale order line.",
    "sale_order_line_non_accountable_null_fields": "Forbidden values on non-accountable sale order line",
    "uom_uom_factor_gt_zero": "The conversion ratio for a unit of measure cannot be 0!",
    "uom_uom_factor_reference_is_one": "The reference unit must have a conversion factor equal to 1.",
    "ir_model_data_name_nospaces": "External IDs cannot contain spaces",
}


def constraint_message(env: Env, model: Model, error: psycopg.Error) -> dict[str, Any]:
    """The message (and field, where one is to blame) of one row of load()."""
    if isinstance(error, psycopg.errors.NotNullViolation):
        return _required(model, error)
    if isinstance(error, psycopg.errors.UniqueViolation):
        return _taken(env, model, error)
    # In a load Odoo has words only for the checks of the model that is loaded.
    text = CHECKS.get(error.diag.constraint_name or "") if error.diag.table_name == model.table else None
    return {"message": f"'{text}'" if text else error_text(error)}


def _required(model: Model, error: psycopg.Error) -> dict[str, Any]:
    name = error.diag.column_name or ""
    if error.diag.table_name != model.table:
        linked = f"Missing required value for the field '{name}' on a linked model [{error.diag.table_name}]"
        return {"message": linked}
    return {"message": f"Missing required value for the field '{model.fields[name].label}' ({name})", "field": name}


def _taken(env: Env, model: Model, error: psycopg.Error) -> dict[str, Any]:
    rows = env.rows(
        "SELECT a.attname FROM pg_constraint c JOIN pg_class t ON t.oid = c.conrelid"
        " JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = ANY(c.conkey)"
        " WHERE c.conname = %s AND t.relname = %s",
        [error.diag.constraint_name, model.table],
    )
    if len(rows) != 1:
        return {"message": error_text(error)}
    name = rows[0][0]
    text = (
        f"The value for the field '{name}' already exists"
        f" (this is probably '{model.fields[name].label}' in the current model)."
    )
    return {"message": text, "field": name}


def error_text(error: psycopg.Error) -> str:
    """The server's message as Odoo's driver gives it: primary text, detail, a line each."""
    primary = f"{error.diag.message_primary or error}\n"
    return primary + (f"DETAIL:  {error.diag.message_detail}\n" if error.diag.message_detail else "")


def as_validation_error(registry: Registry, error: psycopg.IntegrityError) -> ValidationError:
    """What a caller sees of a database constraint outside of load()."""
    table, column = error.diag.table_name, error.diag.column_name
    model = next((one for one in registry.values() if one.table == table), None)
    described = (model.label, model.name) if model else ("Unknown", "unknown")
    if isinstance(error, psycopg.errors.NotNullViolation):
        label = model.fields[column].label if model and column in model.fields else "unknown"
        return ValidationError(
            "The operation cannot be completed:\n- Create/update: a mandatory field is not set.\n"
            "- Delete: another model requires the record being deleted. If possible, archive it instead.\n\n"
            f"Model: {described[0]} ({described[1]})\nField: {label} ({column})\n"
        )
    # PostgreSQL 18 has a code of its own for what RESTRICT refuses.
    if isinstance(error, psycopg.errors.ForeignKeyViolation | psycopg.errors.RestrictViolation):
        return ValidationError(
            "The operation cannot be completed: another model requires the record being deleted."
            " If possible, archive it instead.\n\n"
            f"Model: {described[0]} ({described[1]})\nConstraint: {error.diag.constraint_name}\n"
        )
    text = CHECKS.get(error.diag.constraint_name or "", error_text(error))
    return ValidationError(f"The operation cannot be completed: {text}")
