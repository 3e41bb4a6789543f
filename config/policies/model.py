"""The root of the policy file."""

from __future__ import annotations

import hashlib
from functools import cached_property

from pydantic import Field, field_validator

from config.policies.base import Policy
from config.policies.channel import ChannelPolicy
from config.policies.domains import Domain, DomainPolicy, Ownership
from config.policies.identity import KEYS, IdentityPolicy

_EVERYTHING = DomainPolicy()
_ANY_CHANNEL = ChannelPolicy()
_ANYONE = Ownership()
_BY_BUILT_IN_RULES = IdentityPolicy()


class Policies(Policy):
    """All policies."""

    domains: dict[Domain, DomainPolicy] = Field(default_factory=dict, description="how each domain is delivered")
    owners: dict[str, Ownership] = Field(default_factory=dict, description="systems of record by canonical entity")
    channels: dict[str, ChannelPolicy] = Field(default_factory=dict, description="by source")
    identity: dict[str, IdentityPolicy] = Field(
        default_factory=dict, description="how records of several sources are matched, by canonical entity"
    )

    @field_validator("identity")
    @classmethod
    def _keys_of_entities(cls, value: dict[str, IdentityPolicy]) -> dict[str, IdentityPolicy]:
        for entity, one in value.items():
            if entity not in KEYS:
                raise ValueError(f"{entity} is matched by nothing; known are {', '.join(KEYS)}")
            wrong = [rule.by for rule in one.rules if rule.by not in KEYS[entity]]
            if wrong:
                raise ValueError(f"a {entity} has no {', '.join(wrong)}; it has {', '.join(KEYS[entity])}")
        return value

    @cached_property
    def version(self) -> str:
        """Digest of all that the policies say, 12 hexadecimal digits: what a delivery was made under."""
        return hashlib.blake2b(self.model_dump_json().encode(), digest_size=6).hexdigest()

    @cached_property
    def settled_sources(self) -> list[str]:
        """The sources whose marketplaces' statements are booked."""
        return sorted(source for source, one in self.channels.items() if one.money.settlement_journal is not None)

    @cached_property
    def counted_sources(self) -> frozenset[str]:
        """The sources whose counts are applied to Odoo's stock."""
        return frozenset(source for source, channel in self.channels.items() if channel.stock.counts)

    @cached_property
    def invoicing_sources(self) -> list[str]:
        """The sources whose orders are invoiced."""
        return sorted(source for source, one in self.channels.items() if one.money.invoicing != "never")

    def domain(self, domain: Domain) -> DomainPolicy:
        """Return how a domain is delivered."""
        return self.domains.get(domain, _EVERYTHING)

    def channel(self, source: str) -> ChannelPolicy:
        """Return how a source's records are treated."""
        return self.channels.get(source, _ANY_CHANNEL)

    def identity_of(self, entity: str) -> IdentityPolicy:
        """Return how an entity's records are matched."""
        return self.identity.get(entity, _BY_BUILT_IN_RULES)

    def ownership(self, entity: str) -> Ownership:
        """Return who owns an entity's fields."""
        return self.owners.get(entity, _ANYONE)
