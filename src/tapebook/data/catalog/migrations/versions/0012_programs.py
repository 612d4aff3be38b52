"""Which tapebook brought the catalogue to which migration, so that an older one can say what to install."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = depends_on = None


def upgrade() -> None:
    """Add the table."""
    op.create_table(
        "programs",
        sa.Column("migration", sa.String(length=32), nullable=False),
        sa.Column("version", sa.String(length=40), nullable=False),
        sa.Column("at", sa.String(length=40), nullable=False),
        sa.PrimaryKeyConstraint("migration", name=op.f("pk_programs")),
    )
