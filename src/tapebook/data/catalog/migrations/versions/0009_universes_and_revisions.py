"""Universes with dates of membership, and what vendors have revised."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = depends_on = None

SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Add the tables."""
    op.create_table(
        "universes",
        sa.Column("seq", SERIAL, autoincrement=True, nullable=False),
        sa.Column("id", sa.String(length=80), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("created", sa.String(length=40), nullable=False),
        sa.Column("updated", sa.String(length=40), nullable=False),
        sa.Column("who", sa.String(length=255), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_universes")),
        sa.UniqueConstraint("id", name=op.f("uq_universes_id")),
    )
    op.create_table(
        "memberships",
        sa.Column("universe", SERIAL, nullable=False),
        sa.Column("symbol", sa.String(length=80), nullable=False),
        sa.Column("since", sa.String(length=10), nullable=False),
        sa.Column("until", sa.String(length=10), nullable=False),
        sa.ForeignKeyConstraint(
            ["universe"], ["universes.seq"], name=op.f("fk_memberships_universe"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("universe", "symbol", "since", name=op.f("pk_memberships")),
    )
    op.create_index(op.f("ix_memberships_symbol"), "memberships", ["symbol"])
    op.create_table(
        "revisions",
        sa.Column("seq", SERIAL, autoincrement=True, nullable=False),
        sa.Column("symbol", sa.String(length=80), nullable=False),
        sa.Column("freq", sa.String(length=16), nullable=False),
        sa.Column("snapshot", sa.BigInteger(), nullable=False),
        sa.Column("known", sa.String(length=40), nullable=False),
        sa.Column("changed", sa.BigInteger(), nullable=False),
        sa.Column("removed", sa.BigInteger(), nullable=False),
        sa.Column("actions", sa.BigInteger(), nullable=False),
        sa.Column("first", sa.String(length=40), nullable=False),
        sa.Column("last", sa.String(length=40), nullable=False),
        sa.Column("largest", sa.Float(), nullable=True),
        sa.Column("note", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_revisions")),
    )
    op.create_index(op.f("ix_revisions_symbol"), "revisions", ["symbol"])
    op.create_index(op.f("ix_revisions_snapshot"), "revisions", ["snapshot"])
