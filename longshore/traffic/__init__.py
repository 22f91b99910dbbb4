"""Routes and weights as Envoy resources, and what Envoy measured per version."""
