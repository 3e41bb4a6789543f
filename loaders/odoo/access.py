"""What an access error says: who may not do what with which model, and which groups would give it. Pure.

Source of the words: Odoo 18 base/models/ir_model.py (ACCESS_ERROR_HEADER, _make_access_error), base/models/ir_rule.py (_make_access_error),
odoo/models.py (check_field_access_rights, check_access). They are Odoo's English: the bridge's calls name no other language.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_OPERATIONS = {"access": "read", "modify": "write", "create": "create", "delete": "unlink"}
_BY_RIGHT = re.compile(r"You are not allowed to (access|modify|create|delete) '.*?' \(([\w.]+)\)")
_BY_RULE = re.compile(
    r"doesn't have '(read|write|create|unlink)' access to:\s*- [^\n]*\(([\w.]+)(?:: \d+[^\n]*)?\)(?:\n|\Z)"
)
_BY_FIELD = re.compile(
    r'enough rights to access the fields? "([^"]*)" on .*?\(([\w.]+)\).*?(?:Operation: (\w+)|\Z)', re.DOTALL
)
_GROUP_OF_FIELD = re.compile(r"(?:allowed for groups|,) '([^']+)'")
_GROUP = re.compile(r"^\s*- (.+?)\s*$", re.MULTILINE)


@dataclass(frozen=True, kw_only=True, slots=True)
class Denied:
    """One refused right. `operation`: read, write, create or unlink. `groups`: those that have it, as Odoo's settings name them."""

    model: str
    operation: str
    groups: tuple[str, ...] = ()
    fields: str = ""

    @property
    def suggestion(self) -> str:
        """What a person can do about it."""
        what = f"{self.operation} {self.model}{f' ({self.fields})' if self.fields else ''}"
        if self.groups:
            return f"The integration user may not {what}: give it the group {' or '.join(self.groups)}."
        return f"The integration user may not {what}: a record rule or its companies keep it out."


def denied(words: str) -> Denied | None:
    """Return what Odoo's words refuse, None where they are not of an access error."""
    if found := _BY_RIGHT.search(words):
        groups = tuple(_GROUP.findall(words[found.end() :]))
        return Denied(model=found[2], operation=_OPERATIONS[found[1]], groups=groups)
    if found := _BY_FIELD.search(words):
        groups = tuple(dict.fromkeys(_GROUP_OF_FIELD.findall(words[found.end() :])))
        return Denied(model=found[2], operation=found[3] or "read", groups=groups, fields=found[1])
    if found := _BY_RULE.search(words):
        return Denied(model=found[2], operation=found[1])
    return None
