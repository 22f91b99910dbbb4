"""Updates handed to the platform's own mechanism, and followed to their end."""
