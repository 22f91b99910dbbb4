"""Decisions: values in, values out. Pure."""
