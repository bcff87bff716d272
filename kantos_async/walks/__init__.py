"""Walks over records by key and by count, which stay true while the data moves."""
