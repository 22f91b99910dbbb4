"""Desired state: what people write, as strict immutable values. Pure."""
