"""Capture: replication stream, columnar decoder, snapshot, slots and their care.

Other packages of the bridge use only the data types: `cdc.lsn`, `cdc.relation`, `cdc.batch`, `cdc.destination`, `cdc.visibility`. The
application captures through `cdc.reader`, and looks after a source through `cdc.connection`, `cdc.catalog`, `cdc.slots`, `cdc.rows` and
`cdc.checksum`.
"""
