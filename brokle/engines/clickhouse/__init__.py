"""The embedded ClickHouse: one process that owns chDB and answers ClickHouse's HTTP protocol on loopback."""
