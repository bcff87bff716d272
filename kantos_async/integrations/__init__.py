"""Kantos in other people's tools."""
