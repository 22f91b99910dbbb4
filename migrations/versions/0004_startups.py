"""Keep how long copies took to start: what plans estimate times from."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.create_table(
        "startups",
        sa.Column("target", sa.String(), nullable=False),
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("version", sa.String(), nullable=False),
        sa.Column("seconds", JSONB(), nullable=False),
        sa.ForeignKeyConstraint(["target"], ["targets.name"], name=op.f("fk_startups_target"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("target", "model", "version", name=op.f("pk_startups")),
    )
