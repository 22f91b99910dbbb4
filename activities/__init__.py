"""Side effects that the workflows call: thin, one class per concern."""
