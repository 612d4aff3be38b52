"""What is the same for every kind of item: notes, changes, tags, the trash, the words to find it by."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = depends_on = None

SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
NOTED = ("runs", "scans", "secrets", "subscribers", "schedules", "document_targets")


def upgrade() -> None:
    """Add the tables, and a note to those that have none."""
    for table in NOTED:
        op.add_column(table, sa.Column("note", sa.Text(), nullable=True))
    op.create_table(
        "changes",
        sa.Column("seq", SERIAL, autoincrement=True, nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("name", sa.String(length=500), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("at", sa.String(length=40), nullable=False),
        sa.Column("who", sa.String(length=255), nullable=False),
        sa.Column("what", sa.String(length=16), nullable=False),
        sa.Column("before", sa.JSON(), nullable=True),
        sa.Column("after", sa.JSON(), nullable=True),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_changes")),
        sa.UniqueConstraint("kind", "name", "revision", name=op.f("uq_changes_kind")),
    )
    op.create_table(
        "tags",
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("name", sa.String(length=500), nullable=False),
        sa.Column("tag", sa.String(length=80), nullable=False),
        sa.PrimaryKeyConstraint("kind", "name", "tag", name=op.f("pk_tags")),
    )
    op.create_index(op.f("ix_tags_tag"), "tags", ["tag"])
    op.create_table(
        "trash",
        sa.Column("seq", SERIAL, autoincrement=True, nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("name", sa.String(length=500), nullable=False),
        sa.Column("deleted", sa.String(length=40), nullable=False),
        sa.Column("who", sa.String(length=255), nullable=False),
        sa.Column("snapshot", sa.BigInteger(), nullable=True),
        sa.Column("content", sa.JSON(), nullable=False),
        sa.Column("going", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_trash")),
    )
    op.create_index(op.f("ix_trash_name"), "trash", ["name"])
    op.create_table(
        "indexed",
        sa.Column("seq", SERIAL, autoincrement=True, nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("name", sa.String(length=500), nullable=False),
        sa.Column("mark", sa.Text(), nullable=False),
        sa.Column("at", sa.String(length=40), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_indexed")),
        sa.UniqueConstraint("kind", "name", name=op.f("uq_indexed_kind")),
    )
    op.create_table(
        "words",
        sa.Column("item", SERIAL, nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("word", sa.String(length=80), nullable=False),
        sa.Column("weight", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["item"], ["indexed.seq"], name=op.f("fk_words_item"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("item", "place", name=op.f("pk_words")),
    )
    op.create_index("ix_words_word", "words", ["word"], postgresql_ops={"word": "text_pattern_ops"})
