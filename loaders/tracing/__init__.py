"""What people ask afterwards: dead letters by cause, the story of a record, the audit of every write."""
