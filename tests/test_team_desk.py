"""A desk on PostgreSQL and S3 does the same, end to end."""

from tapebook import Desk

SECRET = b"planted-s3-secret-of-the-tests"


def test_the_whole_desk_on_postgres_and_s3(postgres_url, s3_bucket, tmp_path):
    (tmp_path / "tapebook.toml").write_text(f'database = "{postgres_url}"\nlake = "{s3_bucket}/desk"\n')
    with Desk.open(tmp_path) as desk:
        done = desk.ingest("sample", ["AAPL", "IBM"])
        assert not done.failed
        bt = desk.backtest("sma_cross", ["AAPL", "IBM"], fast=5, slow=40)
        assert desk.load(bt.id).metrics.to_json() == bt.metrics.to_json()
        run = desk.run("backtest", strategy="sma_cross", symbols="AAPL", params="fast=5 slow=40")
        again = desk.rerun(run.id)
        assert again.metrics == run.metrics
        assert again.manifest["snapshot"] == run.manifest["snapshot"] == done.snapshot
        assert set(desk.runs()["id"]) == {run.id, again.id}
        assert desk.diff_runs(run.id, again.id)["same"].all()
        assert not list((tmp_path / "data").glob("*.sqlite*")), "everything is in the database"
        assert not (tmp_path / "data" / "lake").exists(), "or in the bucket"
        assert not [f for f in tmp_path.rglob("*") if f.is_file() and SECRET in f.read_bytes()]
        desk.delete("IBM")
        assert list(desk.symbols()["symbol"]) == ["AAPL"]
        desk.compact()
        kept = run.manifest["snapshot"]
        assert desk.bars("IBM", asof=kept).symbols == ("IBM",), "a run names this snapshot"
