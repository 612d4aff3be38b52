"""Two people on two machines: two homes, one database, one place for files; each opens the other's work."""

import shutil

import pytest

from contracts.stores import stored
from dashboards.records_made import make_run
from tapebook import Desk
from tapebook.dashboards.follow import Follower
from tapebook.dashboards.visible import Visible
from tapebook.data import shelf
from tapebook.errors import TapebookError, UnknownName


def home(folder, url, lake):
    folder.mkdir()
    (folder / "tapebook.toml").write_text(f'database = "{url}"\nlake = "{lake}"\n')
    return folder


@pytest.fixture(params=["folder", "s3"])
def homes(request, tmp_path, postgres_url):
    """Ann's and Bob's homes; in the second round their files are in a bucket."""
    lake = request.getfixturevalue("s3_bucket") + "/lake" if request.param == "s3" else str(tmp_path / "lake")
    return [home(tmp_path / name, postgres_url, lake) for name in ("ann", "bob")]


@pytest.mark.slow
def test_a_colleague_opens_what_was_made_on_another_machine(homes):
    with Desk.open(homes[0]) as ann, Desk.open(homes[1]) as bob:
        assert not ann.ingest("sample", ["AAPL", "IBM"]).failed
        bt = ann.backtest("sma_cross", ["AAPL", "IBM"], fast=5, slow=40)
        scan = ann.trends(ann.bars("AAPL", start="2005", end="2006"))
        run = ann.run("backtest", strategy="sma_cross", symbols="AAPL", params="fast=5 slow=40")

        assert bob.bars("AAPL").fingerprint() == ann.bars("AAPL").fingerprint()
        assert bob.load(bt.id).metrics.to_json() == bt.metrics.to_json()
        assert bob.findings(scan.id).equals(ann.findings(scan.id))
        read = bob.load_run(run.id)
        assert read.metrics == run.metrics
        assert read.html.read_bytes() == run.html.read_bytes()
        assert read.folder.is_relative_to(homes[1])
        script = next((homes[1] / "reports" / "_static").glob("plotly-*.min.js"))
        assert f"../_static/{script.name}" in read.html.read_text()
        again = bob.rerun(run.id)
        assert again.metrics == run.metrics
        assert bob.compact() is not None
        assert ann.load_run(again.id).metrics == run.metrics

        ann.publish(run.id, name="apple")
        assert Follower(bob.config).look() == [], "it is here already"
        shutil.rmtree(bob.config.reports / run.id)
        assert Follower(bob.config).look() == [run.id]
        assert Visible(bob.config).find("apple").runs == (run.id,)

        ann.delete_run(again.id)
        with pytest.raises(UnknownName):
            bob.load_run(again.id)
        assert (bob.config.reports / again.id).exists()
        assert Follower(bob.config, everything=True).look() == []
        assert not (bob.config.reports / again.id).exists(), "no page of Bob's shows it"
        bob.restore(f"run:{again.id}")
        assert bob.load_run(again.id).metrics == run.metrics

        bob.delete_result(bt.id)
        with pytest.raises(UnknownName):
            ann.load(bt.id)
        kept = [file.path.rpartition("/lake/")[2] for file in stored(ann.config)]
        assert f"results/{bt.id}.zip" in kept, "it may be restored"
        bob.empty_trash(older_than=0)
        kept = [file.path.rpartition("/lake/")[2] for file in stored(ann.config)]
        assert f"results/{bt.id}.zip" not in kept
        assert f"reports/{run.id}.zip" in kept
        assert not [path for path in kept if path.endswith(".part")]


def test_what_could_not_be_shared_is_shared_with_the_next(
    tmp_path, postgres_url, s3_bucket, monkeypatch, caplog
):
    config = Desk.open(home(tmp_path / "ann", postgres_url, f"{s3_bucket}/team")).config
    for name in ("first", "second"):
        (config.results / name).mkdir(parents=True)
        (config.results / name / "a.txt").write_text(name)
    with monkeypatch.context() as broken:
        broken.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
        shelf.share(config, "results", config.results / "first")
    assert (
        "first is on this machine only until the next one is shared: http://127.0.0.1:1 cannot" in caplog.text
    )
    assert shelf.shelf(config).names("results") == []
    shelf.share(config, "results", config.results / "second")
    assert shelf.shelf(config).names("results") == ["first", "second"]
    shutil.rmtree(config.results)
    assert (shelf.bring(config, "results", "first") / "a.txt").read_text() == "first"
    assert not shelf.bring(config, "results", "third").exists()
    assert not shelf.bring(config, "results", "../third").exists()
    shelf.drop(config, "results", "first")
    assert shelf.shelf(config).names("results") == ["second"]


def test_what_a_colleague_clears_goes_from_this_machine_too(tmp_path, postgres_url):
    homes = [home(tmp_path / name, postgres_url, str(tmp_path / "lake")) for name in ("ann", "bob")]
    with Desk.open(homes[0]) as ann, Desk.open(homes[1]) as bob:
        for id in ("backtest-20200101-221500-aa", "backtest-20991101-221500-bb"):
            make_run(ann.config.reports, id)
            row = {"id": id, "template": "backtest", "template_hash": "h", "outcome": "succeeded"}
            day = f"{id[9:13]}-{id[13:15]}-{id[15:17]}"
            ann.catalog.runs.add(row | {"parameters": {}, "started": f"{day}T22:15:00+00:00"})
            shelf.share(ann.config, "reports", ann.config.reports / id)
        old, new = (bob.load_run(id) for id in sorted(row["id"] for row in ann.catalog.runs.list()))
        make_run(bob.config.reports, "backtest-20200101-221500-cc")  # never shared: it may be all there is
        assert ann.prune_runs(older_than="90d")["run"].tolist() == [old.id]
        assert old.folder.is_dir()
        assert bob.prune_runs(older_than="90d", dry_run=True).empty
        assert old.folder.is_dir(), "a look changes nothing"
        Follower(bob.config).look()
        assert sorted(p.name for p in bob.config.reports.glob("back*")) == [
            "backtest-20200101-221500-cc", new.id
        ]  # fmt: skip
        ann.delete_run(new.id)
        Follower(bob.config).look()
        aside = bob.config.reports / shelf.ASIDE / new.id
        assert aside.is_dir(), "it may be restored"
        ann.empty_trash(older_than=0)
        assert bob.prune_runs(older_than="90d").empty
        assert not aside.exists()


def test_a_damaged_zip_is_named_and_leaves_nothing(tmp_path, postgres_url):
    config = Desk.open(home(tmp_path / "ann", postgres_url, str(tmp_path / "lake"))).config
    place = tmp_path / "lake" / "results" / "broken.zip"
    place.parent.mkdir(parents=True)
    place.write_bytes(b"PK\x03\x04 half")
    with pytest.raises(TapebookError, match=f"broken at {tmp_path}/lake/results is damaged"):
        shelf.bring(config, "results", "broken")
    assert list(config.results.iterdir()) == []
