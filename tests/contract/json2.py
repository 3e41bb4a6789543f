"""The contract suite's client over JSON-2: the same calls as OdooRPC's, with the names that the bridge gives to positional arguments."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from typing import Any

import odoorpc

from loaders.odoo.rpc.named_arguments import named_arguments


class Json2Rpc:
    """What `Odoo` needs of an OdooRPC connection. Errors are raised as OdooRPC raises them, with Odoo's error as `data`."""

    def __init__(self, url: str, database: str, key: str) -> None:
        self._url = url
        self._headers = {
            "Authorization": f"bearer {key}",
            "X-Odoo-Database": database,
            "Content-Type": "application/json",
        }

    def execute_kw(self, model: str, method: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        """Call a method of a model."""
        given = named_arguments(model, method, args, kwargs)
        try:
            result = self.post(f"/json/2/{model}/{method}", given)
        except urllib.error.HTTPError as error:
            data = json.load(error)
            info = {"code": error.code, "message": "Odoo Server Error", "data": data}
            raise odoorpc.error.RPCError(data["message"], info) from error
        return result[0] if method == "create" and isinstance(args[0], Mapping) else result

    def post(self, path: str, body: Mapping[str, Any], **headers: str) -> Any:
        """The JSON that a path answers to a body."""
        data = json.dumps(body).encode()
        request = urllib.request.Request(self._url + path, data=data, headers=self._headers | headers)
        with urllib.request.urlopen(request, timeout=60) as reply:
            return json.load(reply)
