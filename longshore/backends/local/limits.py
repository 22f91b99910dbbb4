"""Times and limits of the local agent, in one place. Seconds unless the name says otherwise."""

TICK = 0.2
"""Between two looks at the processes: how late an exit is noticed."""

PROBE_STARTING = 0.3
"""Between readiness probes while a copy starts: what a batch waits at most beyond its copies' own start-up."""
PROBE_SERVING = 1.0
"""Between readiness probes of a copy that was ready."""
PROBE_TIMEOUT = 2.0
"""A probe unanswered by then failed; generous, for a busy model answers its probes late."""
PROBES_TO_UNREADY = 2
"""Failed probes in a row that take a copy out of service; one alone may be a hiccup."""

EXITS_TO_FAILED = 3
"""Exits before ever being ready after which a copy is given up (DESIGN, rule 13)."""
BACKOFF_FIRST = 0.5
BACKOFF_MOST = 30.0
HEALTHY_AFTER = 60.0
"""Ready for so long, a copy has its exits forgiven and begins again at the first back-off."""

END_GRACE = 10.0
"""From SIGTERM to SIGKILL. Requests were drained before, so this is for a server's own clean-up."""

VERIFY_WAIT = 20.0
"""How long `verify` waits for an artifact being read before it answers "try again": activities are short."""

LOG_BYTES = 8 * 1024 * 1024
"""A copy's log is rotated here; one older piece is kept."""
LOG_BYTES_GONE = 1024 * 1024
"""What is kept of the log of a copy that is gone, for whoever asks why."""
LOGS_OF_GONE_COPIES = 100
"""Logs of gone copies that are kept; the oldest go first."""
TAIL_BYTES = 512 * 1024
"""Most that one reading of a log looks back."""

PORTS = range(20_000, 32_000)
"""Where `port: auto` is chosen: below Linux's range of ephemeral ports (32768), so no outgoing connection takes one."""

AGENT_TIMEOUT = 30.0
"""The adapter waits so long for the agent; beyond `VERIFY_WAIT`."""

SIZE_LOOK = 5.0
"""Between two looks at the sizes of logs and memory."""
