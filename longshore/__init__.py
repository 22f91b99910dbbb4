"""Durable rollouts for fleets of GPU-served models."""

__version__ = "0.3.0"
