"""A deployment: its revisions, what is decided about them, and what becomes of them."""
