"""REST, server-sent events and web pages."""
