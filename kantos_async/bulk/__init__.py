"""Bulk runs: what `records.upsert_many` and its relatives do.

A run spools its rows (`rows`), chooses the cheapest path to know what differs (`plan`, `paths`,
`reads`), decides row by row (`decide`), and writes up to the client's `max_concurrency` at once
(`pipeline`, `writer`). What it knows lies in SQLite (`state`, `mirror`): a file of the caller's,
or a private temporary one. `rules` says what must not be believed, and why.
"""
