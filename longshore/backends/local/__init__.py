"""This machine: an agent that owns serving processes, and its adapter."""
