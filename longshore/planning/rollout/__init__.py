"""A rollout: how a deployment moves from one version to another, and how it is onboarded."""
