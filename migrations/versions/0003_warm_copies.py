"""Keep which copies are warm, so that whoever needs their room can ask for it."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.add_column("deployments", sa.Column("warm", JSONB(), nullable=True))
