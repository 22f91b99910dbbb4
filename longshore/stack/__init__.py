"""The embedded Postgres, Temporal and Envoy: up, down, doctor."""
