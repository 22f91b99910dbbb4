"""Durable lifecycle operations, one file each."""
