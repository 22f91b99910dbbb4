"""What the traffic plane refuses."""


class InvalidRouteError(ValueError):
    """A route that no gateway shall be told: it would be refused, or lose requests."""
