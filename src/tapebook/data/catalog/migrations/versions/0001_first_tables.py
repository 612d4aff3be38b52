"""The first tables: results, runs, strategies."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = depends_on = None

SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Go up from nothing."""
    op.create_table(
        "results",
        sa.Column("seq", SERIAL, autoincrement=True, nullable=False),
        sa.Column("id", sa.String(length=80), nullable=False),
        sa.Column("strategy", sa.String(length=400), nullable=False),
        sa.Column("code_hash", sa.String(length=128), nullable=True),
        sa.Column("symbols", sa.JSON(), nullable=False),
        sa.Column("params", sa.JSON(), nullable=False),
        sa.Column("rules", sa.JSON(), nullable=False),
        sa.Column("metrics", sa.JSON(), nullable=False),
        sa.Column("snapshot", sa.BigInteger(), nullable=True),
        sa.Column("fingerprint", sa.String(length=128), nullable=True),
        sa.Column("start", sa.String(length=40), nullable=True),
        sa.Column("end", sa.String(length=40), nullable=True),
        sa.Column("freq", sa.String(length=16), nullable=True),
        sa.Column("adjust", sa.String(length=16), nullable=True),
        sa.Column("created", sa.String(length=40), nullable=False),
        sa.Column("run_id", sa.String(length=80), nullable=True),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("extra", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_results")),
        sa.UniqueConstraint("id", name=op.f("uq_results_id")),
    )
    op.create_index(op.f("ix_results_run_id"), "results", ["run_id"], unique=False)
    op.create_index(op.f("ix_results_strategy"), "results", ["strategy"], unique=False)
    op.create_table(
        "runs",
        sa.Column("seq", SERIAL, autoincrement=True, nullable=False),
        sa.Column("id", sa.String(length=200), nullable=False),
        sa.Column("template", sa.String(length=400), nullable=False),
        sa.Column("template_hash", sa.String(length=128), nullable=False),
        sa.Column("code_hash", sa.String(length=128), nullable=True),
        sa.Column("parameters", sa.JSON(), nullable=False),
        sa.Column("strategy", sa.String(length=400), nullable=True),
        sa.Column("symbols", sa.JSON(), nullable=False),
        sa.Column("snapshot", sa.BigInteger(), nullable=True),
        sa.Column("seed", sa.BigInteger(), nullable=True),
        sa.Column("outcome", sa.String(length=16), nullable=False),
        sa.Column("title", sa.Text(), nullable=True),
        sa.Column("started", sa.String(length=40), nullable=False),
        sa.Column("finished", sa.String(length=40), nullable=True),
        sa.Column("seconds", sa.Float(), nullable=True),
        sa.Column("heartbeat", sa.Float(), nullable=True),
        sa.Column("host", sa.String(length=255), nullable=True),
        sa.Column("pid", sa.Integer(), nullable=True),
        sa.Column("rerun_of", sa.String(length=200), nullable=True),
        sa.Column("metrics", sa.JSON(), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_runs")),
        sa.UniqueConstraint("id", name=op.f("uq_runs_id")),
    )
    op.create_index(op.f("ix_runs_outcome"), "runs", ["outcome"], unique=False)
    op.create_index(op.f("ix_runs_strategy"), "runs", ["strategy"], unique=False)
    op.create_index(op.f("ix_runs_template"), "runs", ["template"], unique=False)
    op.create_table(
        "strategies",
        sa.Column("seq", SERIAL, autoincrement=True, nullable=False),
        sa.Column("name", sa.String(length=400), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("code_hash", sa.String(length=128), nullable=False),
        sa.Column("parameters", sa.JSON(), nullable=False),
        sa.Column("notes", sa.Text(), nullable=False),
        sa.Column("created", sa.String(length=40), nullable=False),
        sa.Column("archived", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_strategies")),
        sa.UniqueConstraint("name", "version", name=op.f("uq_strategies_name")),
    )
    op.create_table(
        "result_symbols",
        sa.Column("seq", SERIAL, nullable=False),
        sa.Column("symbol", sa.String(length=80), nullable=False),
        sa.ForeignKeyConstraint(
            ["seq"], ["results.seq"], name=op.f("fk_result_symbols_seq"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("seq", "symbol", name=op.f("pk_result_symbols")),
    )
    op.create_index(op.f("ix_result_symbols_symbol"), "result_symbols", ["symbol"], unique=False)
    op.create_table(
        "run_symbols",
        sa.Column("seq", SERIAL, nullable=False),
        sa.Column("symbol", sa.String(length=80), nullable=False),
        sa.ForeignKeyConstraint(["seq"], ["runs.seq"], name=op.f("fk_run_symbols_seq"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("seq", "symbol", name=op.f("pk_run_symbols")),
    )
    op.create_index(op.f("ix_run_symbols_symbol"), "run_symbols", ["symbol"], unique=False)
