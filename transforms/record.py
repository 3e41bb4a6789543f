"""What every canonical record has: identity, provenance, a content hash, a JSON form.

Contract: `transforms.canonical` declares the entities on top of this base. Loaders store `to_json()` and compare `content_hash`;
they never look at the hash's input. Two records with the same business fields have the same hash whatever their position,
mapping version or canonical id are, however their decimals are scaled and in whichever zone their instants are written.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from decimal import Context, Decimal
from functools import cached_property, lru_cache
from typing import Annotated, Any, ClassVar, Self

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field

from cdc.lsn import Lsn

_HASH_BYTES = 16
# pydantic keeps the set of the fields that were given in every record, a fifth of its 3.7 kB; nothing here asks for it.
_NOT_TRACKED: set[str] = set()
# Python's own context rounds to 28 digits; DuckDB's DECIMAL holds 38.
_EXACT = Context(prec=80)


@lru_cache(maxsize=4096)  # prices and quantities repeat: the records of a batch share their numbers
def _plain(value: Decimal) -> Decimal:
    """Return the same number without trailing zeros, exponent or negative zero: 12.50 and 12.5000 are one amount."""
    value = value.normalize(_EXACT)
    if not value:
        return Decimal(0)
    exponent = value.as_tuple().exponent
    return value.quantize(Decimal(1), context=_EXACT) if isinstance(exponent, int) and exponent > 0 else value


def _in_utc(value: datetime) -> datetime:
    return value.astimezone(UTC)


def _absent_if_blank(value: str | None) -> str | None:
    """Channels write '' where they know nothing; as an e-mail or a VAT number it would make strangers one customer."""
    return value if value and not value.isspace() else None


Text = Annotated[str, Field(min_length=1)]
OptionalText = Annotated[str | None, AfterValidator(_absent_if_blank)]
Number = Annotated[Decimal, Field(max_digits=38), AfterValidator(_plain)]
Instant = Annotated[AwareDatetime, AfterValidator(_in_utc)]
Currency = Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
CountryCode = Annotated[str, Field(pattern=r"^[A-Z]{2}$")]


def _valid_lsn(value: str) -> str:
    return str(Lsn.parse(value))


PROVENANCE = frozenset({"canonical_id", "source", "source_key", "source_position", "mapping_version"})


def record_id(entity: str, source: str, source_key: str) -> str:
    """Return the id of one source's record of an entity."""
    return f"{entity}:{source}:{source_key}"


class CanonicalRecord(BaseModel):
    """Base of all entities.

    `canonical_id` is `record_id` unless identity has linked the record to another source's.
    `source_position`: LSN (``X/Y``) of the transaction that gave this state.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    entity: ClassVar[str]
    # (entity, field that holds its key): the thing whose order of delivery this record shares, e.g. a line its order's.
    part_of: ClassVar[tuple[str, str] | None] = None

    source: Text
    source_key: Text
    source_position: Annotated[str, AfterValidator(_valid_lsn)]
    mapping_version: int = Field(ge=1)
    canonical_id: str = ""

    def model_post_init(self, _context: object) -> None:
        """A record is its own canonical one until identity says otherwise."""
        object.__setattr__(self, "__pydantic_fields_set__", _NOT_TRACKED)
        if not self.canonical_id:
            self.__dict__["canonical_id"] = self.record_id

    @classmethod
    def business_fields(cls) -> tuple[str, ...]:
        """Names of the fields that say something about the thing itself, in order of declaration."""
        return tuple(name for name in cls.model_fields if name not in PROVENANCE)

    @property
    def record_id(self) -> str:
        return record_id(self.entity, self.source, self.source_key)

    @property
    def aggregate_id(self) -> str:
        """Id of the aggregate: its records are delivered in the order in which they were captured."""
        if self.part_of is None:
            return self.record_id
        entity, field = self.part_of
        owner = getattr(self, field)
        return self.record_id if owner is None else record_id(entity, self.source, str(owner))

    @cached_property
    def content_hash(self) -> str:
        """Hexadecimal digest of the business fields that are not null.

        Names are sorted and nulls left out, so that neither the order of declaration nor a new optional field changes it;
        lengths are written out, so that no two contents give the same input.
        """
        digest = hashlib.blake2b(self.entity.encode(), digest_size=_HASH_BYTES)
        values = self.__dict__
        for name in sorted(self.business_fields()):
            value = values[name]
            if value is not None:
                text = str(value).encode()
                digest.update(b"|%s=%d:%s" % (name.encode(), len(text), text))
        return digest.hexdigest()

    def business_values(self) -> dict[str, Any]:
        """Return the business fields by name, as Python values (Decimal, datetime in UTC)."""
        return {name: self.__dict__[name] for name in self.business_fields()}

    def with_canonical_id(self, canonical_id: str) -> Self:
        """Return this record as a record of another source's thing."""
        return self.model_copy(update={"canonical_id": canonical_id})

    def to_json(self) -> str:
        """Return the JSON object that the outbox keeps: every field, decimals as text."""
        return self.model_dump_json()
