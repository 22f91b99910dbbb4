"""Where the GPUs are: the Backend port and its adapters."""
