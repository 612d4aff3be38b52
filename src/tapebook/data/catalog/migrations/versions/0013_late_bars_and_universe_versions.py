"""Bars that came late, and every version of a universe, so that a result's own one can be read again."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = depends_on = None

SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Add the column and the table, with each universe's version of today."""
    op.add_column("revisions", sa.Column("added", sa.BigInteger(), nullable=False, server_default="0"))
    versions = op.create_table(
        "universe_versions",
        sa.Column("seq", SERIAL, autoincrement=True, nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("members", sa.JSON(), nullable=False),
        sa.Column("at", sa.String(length=40), nullable=False),
        sa.Column("who", sa.String(length=255), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_universe_versions")),
        sa.UniqueConstraint("name", "version", name=op.f("uq_universe_versions_name")),
    )
    known = sa.table("universes", *map(sa.column, ("seq", "id", "version", "updated", "who")))
    members = sa.table("memberships", *map(sa.column, ("universe", "symbol", "since", "until")))
    connection = op.get_bind()
    for row in connection.execute(sa.select(known)).mappings().all():
        mine = sa.select(members.c.symbol, members.c.since, members.c.until)
        there = connection.execute(mine.where(members.c.universe == row["seq"])).all()
        said = {"name": row["id"], "version": row["version"], "at": row["updated"], "who": row["who"]}
        connection.execute(versions.insert().values(said | {"members": [list(one) for one in there]}))
