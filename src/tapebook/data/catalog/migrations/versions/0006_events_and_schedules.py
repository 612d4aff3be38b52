"""The outbox of events with its subscribers; schedules, what they made due, and notices."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = depends_on = None

SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Add the tables."""
    _events()
    _subscribers()
    _schedules()
    _notices()


def _events() -> None:
    op.create_table(
        "events",
        sa.Column("seq", SERIAL, autoincrement=True, nullable=False),
        sa.Column("id", sa.String(length=120), nullable=False),
        sa.Column("topic", sa.String(length=40), nullable=False),
        sa.Column("at", sa.String(length=40), nullable=False),
        sa.Column("content", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_events")),
        sa.UniqueConstraint("id", name=op.f("uq_events_id")),
        sqlite_autoincrement=True,  # a number is never given twice, also after the newest rows were dropped
    )
    op.create_index(op.f("ix_events_topic"), "events", ["topic"], unique=False)
    op.create_table(
        "event_marks",
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_event_marks")),
    )


def _subscribers() -> None:
    op.create_table(
        "subscribers",
        sa.Column("seq", SERIAL, autoincrement=True, nullable=False),
        sa.Column("name", sa.String(length=160), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("topics", sa.JSON(), nullable=False),
        sa.Column("target", sa.Text(), nullable=True),
        sa.Column("secret", sa.String(length=120), nullable=True),
        sa.Column("passing", sa.Boolean(), nullable=False),
        sa.Column("created", sa.String(length=40), nullable=False),
        sa.Column("seen", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_subscribers")),
        sa.UniqueConstraint("name", name=op.f("uq_subscribers_name")),
    )
    op.create_table(
        "event_cursors",
        sa.Column("subscriber", sa.String(length=160), nullable=False),
        sa.Column("topic", sa.String(length=40), nullable=False),
        sa.Column("after", sa.BigInteger(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("next_try", sa.Float(), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("holder", sa.String(length=200), nullable=True),
        sa.Column("lease", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(
            ["subscriber"], ["subscribers.name"], name=op.f("fk_event_cursors_subscriber"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("subscriber", "topic", name=op.f("pk_event_cursors")),
    )
    op.create_table(
        "dead_letters",
        sa.Column("seq", SERIAL, autoincrement=True, nullable=False),
        sa.Column("subscriber", sa.String(length=160), nullable=False),
        sa.Column("event", sa.BigInteger(), nullable=False),
        sa.Column("topic", sa.String(length=40), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("error", sa.Text(), nullable=False),
        sa.Column("died", sa.String(length=40), nullable=False),
        sa.Column("again", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["subscriber"], ["subscribers.name"], name=op.f("fk_dead_letters_subscriber"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_dead_letters")),
        sa.UniqueConstraint("subscriber", "event", name=op.f("uq_dead_letters_subscriber")),
    )


def _schedules() -> None:
    op.create_table(
        "schedules",
        sa.Column("seq", SERIAL, autoincrement=True, nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("template", sa.String(length=400), nullable=False),
        sa.Column("template_hash", sa.String(length=128), nullable=False),
        sa.Column("parameters", sa.JSON(), nullable=False),
        sa.Column("rule", sa.JSON(), nullable=False),
        sa.Column("notify", sa.JSON(), nullable=False),
        sa.Column("notify_on", sa.String(length=16), nullable=False),
        sa.Column("timeout", sa.Float(), nullable=True),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("anchor", sa.String(length=40), nullable=False),
        sa.Column("created", sa.String(length=40), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_schedules")),
        sa.UniqueConstraint("name", name=op.f("uq_schedules_name")),
    )
    op.create_table(
        "occasions",
        sa.Column("seq", SERIAL, autoincrement=True, nullable=False),
        sa.Column("schedule", sa.String(length=80), nullable=False),
        sa.Column("key", sa.String(length=160), nullable=False),
        sa.Column("due", sa.String(length=40), nullable=False),
        sa.Column("deadline", sa.String(length=40), nullable=True),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("missed", sa.Integer(), nullable=False),
        sa.Column("cause", sa.BigInteger(), nullable=True),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("run_id", sa.String(length=200), nullable=True),
        sa.Column("holder", sa.String(length=200), nullable=True),
        sa.Column("lease", sa.Float(), nullable=False),
        sa.Column("token", sa.Integer(), nullable=False),
        sa.Column("started", sa.String(length=40), nullable=True),
        sa.Column("finished", sa.String(length=40), nullable=True),
        sa.ForeignKeyConstraint(
            ["schedule"], ["schedules.name"], name=op.f("fk_occasions_schedule"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_occasions")),
        sa.UniqueConstraint("schedule", "key", name=op.f("uq_occasions_schedule")),
    )
    op.create_index(op.f("ix_occasions_state"), "occasions", ["state"], unique=False)
    op.create_index(op.f("ix_occasions_run_id"), "occasions", ["run_id"], unique=False)


def _notices() -> None:
    op.create_table(
        "notices",
        sa.Column("seq", SERIAL, autoincrement=True, nullable=False),
        sa.Column("schedule", sa.String(length=80), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("next_try", sa.Float(), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("holder", sa.String(length=200), nullable=True),
        sa.Column("lease", sa.Float(), nullable=False),
        sa.Column("created", sa.String(length=40), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_notices")),
    )
    op.create_index(op.f("ix_notices_state"), "notices", ["state"], unique=False)
