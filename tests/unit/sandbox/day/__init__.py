"""The unit tests of the business day."""
