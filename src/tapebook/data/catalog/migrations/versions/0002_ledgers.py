"""Trials, frozen strategies and the forward ledger, which nothing may rewrite; versions with parents."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = depends_on = None

SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
LEDGERS = ("trials", "trial_symbols", "frozen", "forward")
REFUSAL = "is a ledger: rows are never changed or deleted"


def upgrade() -> None:
    """Add them, and triggers that refuse a change of what is written."""
    for name, kind in (("parent", sa.String(length=500)), ("family", sa.String(length=80))):
        op.add_column("strategies", sa.Column(name, kind, nullable=True))
    for name in ("rules", "extra"):
        op.add_column("strategies", sa.Column(name, sa.JSON(), nullable=True))
    _trials()
    _forward()
    _lock()


def _trials() -> None:
    op.create_table(
        "trials",
        sa.Column("seq", SERIAL, autoincrement=True, nullable=False),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("family", sa.String(length=80), nullable=False),
        sa.Column("strategy", sa.String(length=400), nullable=False),
        sa.Column("code_hash", sa.String(length=128), nullable=False),
        sa.Column("symbols", sa.JSON(), nullable=False),
        sa.Column("settings", sa.JSON(), nullable=False),
        sa.Column("rules", sa.JSON(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("sharpe_mean", sa.Float(), nullable=True),
        sa.Column("sharpe_deviation", sa.Float(), nullable=True),
        sa.Column("sharpe_best", sa.Float(), nullable=True),
        sa.Column("start", sa.String(length=40), nullable=False),
        sa.Column("end", sa.String(length=40), nullable=False),
        sa.Column("freq", sa.String(length=16), nullable=False),
        sa.Column("fingerprint", sa.String(length=128), nullable=False),
        sa.Column("snapshot", sa.BigInteger(), nullable=True),
        sa.Column("created", sa.String(length=40), nullable=False),
        sa.Column("who", sa.String(length=255), nullable=False),
        sa.Column("run_id", sa.String(length=200), nullable=True),
        sa.Column("sketch", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_trials")),
        sa.UniqueConstraint("key", name=op.f("uq_trials_key")),
    )
    op.create_index(op.f("ix_trials_family"), "trials", ["family"], unique=False)
    op.create_index(op.f("ix_trials_strategy"), "trials", ["strategy"], unique=False)
    op.create_table(
        "trial_symbols",
        sa.Column("seq", SERIAL, nullable=False),
        sa.Column("symbol", sa.String(length=80), nullable=False),
        sa.ForeignKeyConstraint(["seq"], ["trials.seq"], name=op.f("fk_trial_symbols_seq")),
        sa.PrimaryKeyConstraint("seq", "symbol", name=op.f("pk_trial_symbols")),
    )
    op.create_index(op.f("ix_trial_symbols_symbol"), "trial_symbols", ["symbol"], unique=False)


def _forward() -> None:
    op.create_table(
        "frozen",
        sa.Column("seq", SERIAL, autoincrement=True, nullable=False),
        sa.Column("id", sa.String(length=80), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("strategy", sa.String(length=400), nullable=False),
        sa.Column("frozen_at", sa.String(length=40), nullable=False),
        sa.Column("content", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_frozen")),
        sa.UniqueConstraint("id", name=op.f("uq_frozen_id")),
    )
    op.create_index(op.f("ix_frozen_strategy"), "frozen", ["strategy"], unique=False)
    op.create_table(
        "forward",
        sa.Column("seq", SERIAL, autoincrement=True, nullable=False),
        sa.Column("frozen_id", sa.String(length=80), nullable=False),
        sa.Column("entry", sa.Integer(), nullable=False),
        sa.Column("ts", sa.String(length=40), nullable=False),
        sa.Column("written", sa.String(length=40), nullable=False),
        sa.Column("content", sa.JSON(), nullable=False),
        sa.Column("previous", sa.String(length=64), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(["frozen_id"], ["frozen.id"], name=op.f("fk_forward_frozen_id")),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_forward")),
        sa.UniqueConstraint("frozen_id", "entry", name=op.f("uq_forward_frozen_id")),
    )


def _lock() -> None:
    """Let the database refuse UPDATE and DELETE of a ledger's rows."""
    if op.get_bind().dialect.name == "sqlite":
        for table in LEDGERS:
            for verb in ("UPDATE", "DELETE"):
                op.execute(
                    f"CREATE TRIGGER {table}_no_{verb.lower()} BEFORE {verb} ON {table} "
                    f"BEGIN SELECT RAISE(ABORT, '{table} {REFUSAL}'); END"
                )
        return
    op.execute(
        "CREATE FUNCTION tapebook.is_ledger() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        f"RAISE EXCEPTION '% {REFUSAL}', TG_TABLE_NAME; END $$"
    )
    for table in LEDGERS:
        op.execute(
            f"CREATE TRIGGER {table}_no_change BEFORE UPDATE OR DELETE ON {table} "
            "FOR EACH ROW EXECUTE FUNCTION tapebook.is_ledger()"
        )
        op.execute(
            f"CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION tapebook.is_ledger()"
        )
