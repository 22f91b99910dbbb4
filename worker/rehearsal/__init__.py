"""The engine of rehearsals: the real workflows and activities in skipped time, over a simulated fleet.

| part | runs in | does |
|---|---|---|
| `engine` | `python -m worker.rehearsal` | plays the timeline: asks, breaks, passes the time, and makes the answer |
| `world` | the same process | the fleet, its traffic, what was lost, and whether all is at rest |
| `crew` | a fork of it, see `hiring` | the workers, which a crash really kills; they reach the world by `link` |
| `clock` | both | simulated seconds in the time of Temporal's test server |
| `server` | both | processes that get no stdio and die with their parent |
"""
