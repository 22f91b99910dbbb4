"""The commands, a file for each group of them. What they need is imported when they run."""
