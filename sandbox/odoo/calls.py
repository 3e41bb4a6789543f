"""One call of one method of one model: a REPEATABLE READ transaction, retried when Postgres cannot serialize it."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import psycopg

from sandbox.odoo.errors import AccessError, UserError
from sandbox.odoo.importing.constraints import as_validation_error
from sandbox.odoo.orm.environment import Env
from sandbox.odoo.orm.model import Model, Registry
from sandbox.odoo.pool import Connection, Pool

TRIES = 5
# Odoo waits up to 2 ** try seconds; tests would rather not.
_WAIT_S = 0.01

_RETRIED = (psycopg.errors.SerializationFailure, psycopg.errors.DeadlockDetected, psycopg.errors.LockNotAvailable)


class Calls:
    """Carries calls out against one database."""

    def __init__(self, registry: Registry, pool: Pool) -> None:
        self.registry = registry
        self.pool = pool

    def call(self, uid: int, model: str, method: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        """What the method returns, committed. OdooError, ValueError and the like as the method raises them."""
        with self.pool.connection() as connection:
            for tried in range(1, TRIES + 1):
                try:
                    return self._once(connection, uid, model, method, args, kwargs)
                except _RETRIED:
                    if tried == TRIES:
                        raise
                    time.sleep(random.uniform(0, _WAIT_S * 2**tried))
        raise AssertionError("unreachable")

    def _once(
        self, connection: Connection, uid: int, model: str, method: str, args: Sequence[Any], kwargs: Mapping[str, Any]
    ) -> Any:
        given = dict(kwargs)
        context = given.pop("context", None) or {}
        try:
            with connection.transaction():
                env = Env.opened(connection, self.registry, uid, context)
                return self._run(env, model, method, list(args), given)
        except psycopg.IntegrityError as error:
            raise as_validation_error(self.registry, error) from error

    def _run(self, env: Env, model: str, method: str, args: list[Any], kwargs: dict[str, Any]) -> Any:
        if model not in self.registry:
            raise UserError(f"Object {model} doesn't exist")
        found = public_method(self.registry[model], method)
        if found.__dict__.get("api") == "records":
            ids = args.pop(0) if args else kwargs.pop("ids", [])
            return found(self.registry[model], env, [ids] if isinstance(ids, int) else list(ids or []), *args, **kwargs)
        return found(self.registry[model], env, *args, **kwargs)


def public_method(model: Model, method: str) -> Callable[..., Any]:
    """The method called `method`, if callers may reach it. AccessError or AttributeError with Odoo's words."""
    found = getattr(type(model), method, None)
    if method.startswith("_"):
        raise AccessError(f"Private methods (such as '{model.name}.{method}') cannot be called remotely.")
    if found is None or "api" not in getattr(found, "__dict__", {}):
        raise AttributeError(f"The method '{model.name}.{method}' does not exist")
    return found  # type: ignore[no-any-return]
