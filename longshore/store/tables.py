"""The tables. Every instant is UTC; what only travels whole is JSON."""

from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    UniqueConstraint,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator

WHOLE_TARGET: Final = ""
"""`target_observations.deployment` of a reading that is of the whole target; no deployment has this name."""


class Instant(TypeDecorator[datetime]):
    """A timezone-aware instant, UTC on the way out. SQLite forgets the zone, so it is put back."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """To UTC.

        Raises:
            ValueError: the instant has no timezone.
        """
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value} has no timezone: the store keeps instants")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """From the database, as UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


Document: Final = JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")
Number: Final = BigInteger().with_variant(Integer(), "sqlite")
"""SQLite counts rows by itself only in a column of type INTEGER."""

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _required(name: str, type_: Any, *rest: Any, **options: Any) -> Column[Any]:
    return Column(name, type_, *rest, nullable=False, **options)


# -- desired state -------------------------------------------------------------------------------------------------

targets = Table(
    "targets",
    metadata,
    Column("name", String, primary_key=True),
    _required("spec", Document),
    _required("next_ticket", Integer),
    _required("actor", String),
    _required("created_at", Instant),
    _required("updated_at", Instant),
    Column("trouble", String),
    Column("trouble_since", Instant),
)

model_versions = Table(
    "model_versions",
    metadata,
    Column("model", String, primary_key=True),
    Column("version", String, primary_key=True),
    _required("spec", Document),
    _required("actor", String),
    _required("registered_at", Instant),
)

freezes = Table(
    "freezes",
    metadata,
    Column("name", String, primary_key=True),
    _required("spec", Document),
    _required("actor", String),
    _required("created_at", Instant),
    _required("updated_at", Instant),
)

# -- what the workflows said ---------------------------------------------------------------------------------------

deployments = Table(
    "deployments",
    metadata,
    Column("name", String, primary_key=True),
    _required("target", String, index=True),
    _required("model", String),
    _required("labels", Document),
    _required("spec", Document),
    Column("revision", Integer),
    Column("version", String),
    Column("rollout_to", Document),
    Column("warm", Document),
    Column("operation", String),
    _required("sequence", Number),
    _required("retired", Boolean),
    _required("updated_at", Instant),
)

revisions = Table(
    "revisions",
    metadata,
    Column("deployment", String, primary_key=True),
    Column("number", Integer, primary_key=True),
    _required("version", String),
    _required("spec", Document),
    _required("phase", String),
    _required("held", Boolean),
    _required("actor", String),
    _required("at", Instant),
    Column("reason", String),
    _required("source", String),
    _required("step", Number),
)

operations = Table(
    "operations",
    metadata,
    Column("id", String, primary_key=True),
    _required("deployment", String),
    _required("number", Integer),
    _required("kind", String),
    _required("model", String),
    _required("target", String),
    Column("from_revision", Integer),
    Column("to_revision", Integer),
    Column("from_version", String),
    Column("to_version", String),
    Column("strategy", String),
    _required("phase", String),
    Column("reason", String),
    Column("message", String),
    _required("actor", String),
    _required("started_at", Instant),
    Column("ended_at", Instant),
    _required("step", Number),
    _required("progress", Document),
    UniqueConstraint("deployment", "number"),
)

recorded_steps = Table(
    "recorded_steps",
    metadata,
    # A deployment may be named `deployment`, and then its operations' ids look like another deployment's source.
    Column("deployment", String, primary_key=True),
    Column("source", String, primary_key=True),
    Column("step", Number, primary_key=True, autoincrement=False),
)
"""Which steps were recorded: what makes a retry write nothing twice."""

events = Table(
    "events",
    metadata,
    Column("sequence", Number, primary_key=True, autoincrement=False),
    _required("at", Instant),
    _required("deployment", String),
    _required("type", String),
    Column("revision", Integer),
    Column("batch", Integer),
    Column("actor", String),
    _required("message", String),
    _required("evidence", Document),
    Column("operation", String),
    _required("source", String),
    _required("step", Number),
    _required("ordinal", Integer),
    UniqueConstraint("deployment", "source", "step", "ordinal"),
    Index(None, "deployment", "sequence"),
)

event_clock = Table(
    "event_clock",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    _required("sequence", Number),
)
"""One row: the sequence of the newest event. Its lock orders the writers, so that a cursor never misses an event."""

ledger = Table(
    "ledger",
    metadata,
    Column("id", Number, primary_key=True),
    _required("deployment", String),
    _required("model", String),
    _required("version", String),
    _required("share", Integer),
    _required("since", Instant),
    Column("until", Instant),
    _required("source", String),
    _required("step", Number),
    _required("cause", String),
    UniqueConstraint("deployment", "source", "step", "version"),
    Index(None, "deployment", "since"),
)

# -- what was observed ---------------------------------------------------------------------------------------------

target_observations = Table(
    "target_observations",
    metadata,
    Column("target", String, ForeignKey("targets.name", ondelete="CASCADE"), primary_key=True),
    Column("deployment", String, primary_key=True),
    _required("sequence", Number),
    _required("at", Instant),
    _required("hosts", Document),
    _required("differences", Document, server_default="[]"),
)
"""The newest reading of each target as a whole, and newer ones of single deployments."""

copies = Table(
    "copies",
    metadata,
    Column("target", String, ForeignKey("targets.name", ondelete="CASCADE"), primary_key=True),
    Column("id", String, primary_key=True),
    _required("deployment", String, index=True),
    _required("model", String),
    _required("version", String),
    _required("host", String),
    _required("accelerators", Document),
    Column("address", String),
    _required("state", String),
    _required("restarts", Integer),
    Column("reason", String),
    Column("message", String),
    Column("started_at", Instant),
    Column("ready_at", Instant),
)

startups = Table(
    "startups",
    metadata,
    Column("target", String, ForeignKey("targets.name", ondelete="CASCADE"), primary_key=True),
    Column("model", String, primary_key=True),
    Column("version", String, primary_key=True),
    _required("seconds", Document),
)
"""The newest start-up times of each version on each target, oldest first."""

reservations = Table(
    "reservations",
    metadata,
    Column("target", String, ForeignKey("targets.name", ondelete="CASCADE"), primary_key=True),
    Column("deployment", String, primary_key=True),
    Column("operation", String, primary_key=True),
    _required("ticket", Integer),
    _required("request", Document),
    Column("answer", Document),
    _required("held", Document),
)
"""Room that operations hold or wait for. `held`: host → accelerators the deployment holds there at least."""

upstreams = Table(
    "upstreams",
    metadata,
    Column("target", String, ForeignKey("targets.name", ondelete="CASCADE"), primary_key=True),
    Column("deployment", String, primary_key=True),
    Column("version", String, primary_key=True),
    _required("upstream", Document),
)
"""Where versions are asked whose copies have no addresses of their own. Kept while the target is: routes name them."""

# -- what adapters note of other people's platforms ------------------------------------------------------------------

notes = Table(
    "notes",
    metadata,
    Column("target", String, ForeignKey("targets.name", ondelete="CASCADE"), primary_key=True),
    Column("deployment", String, primary_key=True),
    Column("version", String, primary_key=True),
    _required("page", Document),
)

note_fences = Table(
    "note_fences",
    metadata,
    Column("target", String, ForeignKey("targets.name", ondelete="CASCADE"), primary_key=True),
    Column("deployment", String, primary_key=True),
    _required("operation", Integer),
    _required("step", Number),
)

reading_clocks = Table(
    "reading_clocks",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    _required("sequence", Number),
)
"""One row: the sequence of the newest reading that began, of any target."""

installation = Table(
    "installation",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    _required("name", String),
)
"""One row: what tells this Longshore's resources from another's."""

# -- the traffic plane ---------------------------------------------------------------------------------------------

routes = Table(
    "routes",
    metadata,
    Column("deployment", String, primary_key=True),
    _required("model", String),
    _required("weights", Document),
    _required("standby", Document),
    _required("idempotent", Boolean),
    _required("revision", Number),
    _required("acked_weights", Document),
    _required("acked_revision", Number),
)

traffic_clock = Table(
    "traffic_clock",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    _required("revision", Number),
)
"""One row: the revision of the newest routing-relevant change. Its lock orders the writers."""

gateways = Table(
    "gateways",
    metadata,
    Column("node", String, primary_key=True),
    Column("admin", String),
    _required("connected", Boolean),
    _required("acked", Number),
    Column("rejected", Number),
    Column("rejection", String),
    _required("refused", Document),
    _required("seen_at", Instant),
)

traffic_samples = Table(
    "traffic_samples",
    metadata,
    Column("operation", String, primary_key=True),
    Column("batch", Integer, primary_key=True, autoincrement=False),
    Column("gateway", String, primary_key=True),
    Column("version", String, primary_key=True),
    Column("at", Instant, primary_key=True),
    _required("sample", Document),
)

# -- guards --------------------------------------------------------------------------------------------------------

fences = Table(
    "fences",
    metadata,
    Column("deployment", String, primary_key=True),
    _required("operation", Integer),
    _required("step", Number),
)

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", String, primary_key=True),
    _required("name", String),
    _required("digest", String),
    _required("roles", Document),
    _required("created_at", Instant),
    Column("revoked_at", Instant),
)

answers = Table(
    "answers",
    metadata,
    Column("caller", String, primary_key=True),
    Column("key", String, primary_key=True),
    _required("request", String),
    _required("status", Integer),
    _required("body", Document),
    _required("at", Instant, index=True),
)
"""What requests that change something were answered, by idempotency key; kept for a day."""
