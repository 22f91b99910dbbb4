"""One stream of JSON lines on standard error: structlog's own, and what libraries say through `logging`."""

import logging
import sys

import structlog
from structlog.typing import Processor

QUIET = {"httpx": logging.WARNING, "uvicorn.access": logging.WARNING, "alembic": logging.WARNING}
"""Libraries whose INFO is a line a request."""


def configure_logs(part: str) -> None:
    """Log as JSON lines from here on.

    Args:
        part: Which process of Longshore this is; every line carries it.
    """

    def marked(_logger: object, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
        event["part"] = part
        event.pop("color_message", None)  # uvicorn's, for terminals
        return event

    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        marked,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.ExtraAdder(), *shared],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.INFO)
    for library, level in QUIET.items():
        logging.getLogger(library).setLevel(level)
