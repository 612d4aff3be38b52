"""Kept screens, and their runs."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = depends_on = None

SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Add the tables."""
    op.create_table(
        "screens",
        sa.Column("seq", SERIAL, autoincrement=True, nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("expression", sa.Text(), nullable=False),
        sa.Column("symbols", sa.JSON(), nullable=True),
        sa.Column("freq", sa.String(length=16), nullable=False),
        sa.Column("adjust", sa.String(length=16), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("created", sa.String(length=40), nullable=False),
        sa.Column("updated", sa.String(length=40), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_screens")),
        sa.UniqueConstraint("name", name=op.f("uq_screens_name")),
    )
    op.create_table(
        "screen_runs",
        sa.Column("seq", SERIAL, autoincrement=True, nullable=False),
        sa.Column("screen", sa.String(length=80), nullable=False),
        sa.Column("at", sa.String(length=40), nullable=False),
        sa.Column("bar", sa.String(length=40), nullable=False),
        sa.Column("snapshot", sa.BigInteger(), nullable=True),
        sa.Column("asked_of", sa.Text(), nullable=False),
        sa.Column("asked", sa.BigInteger(), nullable=False),
        sa.Column("used", sa.BigInteger(), nullable=False),
        sa.Column("hits", sa.JSON(), nullable=False),
        sa.Column("inside", sa.JSON(), nullable=False),
        sa.Column("entered", sa.JSON(), nullable=False),
        sa.Column("left", sa.JSON(), nullable=False),
        sa.Column("first", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["screen"], ["screens.name"], name=op.f("fk_screen_runs_screen"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_screen_runs")),
    )
    op.create_index(op.f("ix_screen_runs_screen"), "screen_runs", ["screen"], unique=False)
