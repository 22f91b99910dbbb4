"""Plans: what an operation would do, played to its end by its own planner on an idealised target."""
