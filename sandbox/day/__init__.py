"""A business day on the portal, the marketplace and in the warehouse: deterministic, seeded, and with known exceptions."""

from sandbox.day.business_day import BusinessDay
from sandbox.day.exceptions import SeededException, seeded_exceptions

__all__ = ["BusinessDay", "SeededException", "seeded_exceptions"]
