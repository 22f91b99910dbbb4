"""Keep why a target cannot be used as it is, so that people need not read a worker's log."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.add_column("targets", sa.Column("trouble", sa.String(), nullable=True))
    op.add_column("targets", sa.Column("trouble_since", sa.DateTime(timezone=True), nullable=True))
