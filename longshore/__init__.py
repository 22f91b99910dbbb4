"""Durable rollouts for fleets of GPU-served models."""

__version__ = "0.2.0"
