"""Policies as data: who owns what, when each domain is delivered, and how each channel's words and exceptions are treated in Odoo.

Contract: one file, named by the setting `policies`, validated whole with the settings; nothing here knows Odoo or a database.
Things of Odoo are named as people know them there: a company, tax, carrier or unit by its name, a journal, account or warehouse
by its code. What is not said keeps its default, so that an empty file is a policy.
"""

from __future__ import annotations

from config.policies.channel import ChannelPolicy, Tolerance
from config.policies.domains import Domain, DomainPolicy, Mode, Ownership
from config.policies.identity import IdentityPolicy, MatchRule
from config.policies.model import Policies
from config.policies.money import MoneyPolicy, PaymentMethod
from config.policies.stock import ReturnRule, StockPolicy

__all__ = [
    "ChannelPolicy",
    "Domain",
    "DomainPolicy",
    "IdentityPolicy",
    "MatchRule",
    "Mode",
    "MoneyPolicy",
    "Ownership",
    "PaymentMethod",
    "Policies",
    "ReturnRule",
    "StockPolicy",
    "Tolerance",
]
