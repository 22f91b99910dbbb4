"""Keep what adapters note of other people's platforms, and where versions without addresses are asked."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.add_column("target_observations", sa.Column("differences", JSONB(), server_default="[]", nullable=False))
    op.create_table(
        "upstreams",
        *_of_a_version("upstreams"),
        sa.Column("upstream", JSONB(), nullable=False),
    )
    op.create_table(
        "notes",
        *_of_a_version("notes"),
        sa.Column("page", JSONB(), nullable=False),
    )
    op.create_table(
        "note_fences",
        sa.Column("target", sa.String(), nullable=False),
        sa.Column("deployment", sa.String(), nullable=False),
        sa.Column("operation", sa.Integer(), nullable=False),
        sa.Column("step", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("target", "deployment", name=op.f("pk_note_fences")),
        _belongs_to_a_target("note_fences"),
    )
    op.create_table(
        "reading_clocks",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reading_clocks")),
    )
    op.create_table(
        "installation",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_installation")),
    )


def _of_a_version(table: str) -> tuple[sa.schema.SchemaItem, ...]:
    return (
        sa.Column("target", sa.String(), nullable=False),
        sa.Column("deployment", sa.String(), nullable=False),
        sa.Column("version", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("target", "deployment", "version", name=op.f(f"pk_{table}")),
        _belongs_to_a_target(table),
    )


def _belongs_to_a_target(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["target"], ["targets.name"], name=op.f(f"fk_{table}_target_targets"), ondelete="CASCADE"
    )
