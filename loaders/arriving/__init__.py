"""What arrives from the sources: the outbox as the lane's durable end, copies of tables, rows to be read, identity over sources."""
