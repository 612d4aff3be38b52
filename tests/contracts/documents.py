"""What every target of findings keeps to, whatever tool is behind it."""

import threading
import time

import pytest

from integration.findings import desk_of, document, drip, drip_headers, hang
from tapebook.errors import TapebookError
from tapebook.integration import deadline
from tapebook.integration.documents import base
from tapebook.integration.documents.publish import delete, publish
from tapebook.integration.outside import Outside

TOKEN = "planted-token-0123456789"


class TargetContract:
    """Subclass it: `kind`, `options(tmp_path)`, `pages()` (the texts of the pages that the tool has).

    `forget()` deletes every page behind the desk's back.
    """

    kind = ""
    finds = True  # False: whoever gets it knows its pages by their keys

    @pytest.fixture(autouse=True)
    def _desk(self, tmp_path):
        with desk_of(tmp_path / "desk") as desk:
            self.desk = desk
            desk.secrets.set("tool", TOKEN)
            self.waited = []
            self.outside = Outside(
                tmp_path / "pace", Outside.of(desk.config).reveal, sleep=self.waited.append
            )
            with self.tool(tmp_path):
                desk.documents.add("there", self.kind, **self.options())
                yield

    def publish(self, said=None):
        return publish(self.desk.catalog, self.outside, "there", said or document())

    def lose_rows(self):
        self.desk.catalog.documents.forget("there", "apple")

    def test_a_page_is_made_then_updated_in_place(self):
        assert self.publish().outcome == "created"
        done = self.publish(document(words="Second words."))
        assert done.outcome == "updated"
        (page,) = self.pages()
        assert "Second words" in page
        assert "First words" not in page
        assert "r-1" in page  # where it comes from
        assert "3.14" in page

    def test_the_same_again_changes_nothing(self):
        self.publish()
        before = self.pages()
        assert self.publish().outcome == "unchanged"
        assert self.pages() == before

    def test_a_page_that_was_deleted_is_made_again(self):
        self.publish()
        self.forget()
        assert self.pages() == []
        assert self.publish().outcome == "created"
        assert len(self.pages()) == 1

    def test_a_lost_row_finds_its_page(self):
        self.publish()
        self.lose_rows()
        done = self.publish(document(words="Second words."))
        assert done.outcome == ("updated" if self.finds else "created")
        (page,) = self.pages()
        assert "Second words" in page

    def test_a_crash_before_the_row_makes_no_second_page(self, monkeypatch):
        def crash(*_, **__):
            raise KeyboardInterrupt

        with monkeypatch.context() as patched:
            patched.setattr(type(self.desk.catalog.documents), "put", crash)
            with pytest.raises(KeyboardInterrupt):
                self.publish()
        assert len(self.pages()) == 1
        self.publish(document(words="Second words."))
        (page,) = self.pages()
        assert "Second words" in page

    def test_two_keys_are_two_pages(self):
        self.publish()
        self.publish(document(key="pear", title="Pear"))
        assert len(self.pages()) == 2

    def test_a_page_is_deleted(self):
        self.publish()
        delete(self.desk.catalog, self.outside, "there", "apple")
        assert self.pages() == []
        assert len(self.desk.documents.list()) == 0

    def test_two_at_once_make_one_page(self):
        made = []

        def once():
            try:
                made.append(self.publish().outcome)
            except TapebookError as error:
                made.append(str(error))

        threads = [threading.Thread(target=once) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert "created" in made
        assert len(self.pages()) == 1


class WebContract(TargetContract):
    """Of a tool on the web: `self.web` is the loopback server, `creates` the request that makes a page."""

    creates = ("POST", "")

    def test_what_is_wrong_for_a_moment_is_tried_again(self):
        self.web.faults += [(429, {"retry-after": "2"}, "{}"), (500, {}, "oh no")]
        assert self.publish().outcome == "created"
        assert len(self.pages()) == 1
        assert max(self.waited) > 1.5

    @pytest.mark.parametrize("fault", [drip, drip_headers, hang], ids=lambda fault: fault.__name__)
    def test_an_answer_that_does_not_end_is_given_up_and_asked_for_again(self, fault, monkeypatch):
        monkeypatch.setattr(deadline, "LONGEST", 0.6)
        self.web.faults.append(fault)
        assert self.publish().outcome == "created"
        assert len(self.pages()) == 1

    def test_a_tool_that_is_slow_at_everything_is_given_up(self, monkeypatch):
        monkeypatch.setattr(deadline, "LONGEST", 0.3)
        monkeypatch.setattr(base, "WHOLE", 0.5)
        self.web.faults += [drip] * 20
        begun = time.monotonic()
        with pytest.raises(TapebookError, match=r"took longer than (0\.\d+|0\.5) s"):
            self.publish()
        assert time.monotonic() - begun < 20, "a busy machine, too, is done long before twenty answers end"
        assert "took longer than" in self.desk.documents.list()["error"][0]

    def test_a_lost_answer_makes_no_second_page(self):
        """The tool makes the page, and its answer breaks off."""
        self.web.cut(*self.creates)
        self.publish()
        assert len(self.pages()) == 1

    def test_a_refusal_is_told_without_the_credential(self):
        self.web.faults += [(401, {}, f'{{"message": "bad {TOKEN}"}}')] * 9
        with pytest.raises(TapebookError, match="401") as caught:
            self.publish()
        assert TOKEN not in str(caught.value)
        event = self.desk.events(1, topics=["integration.failed"])[0]
        assert event.integration == "there"
        assert TOKEN not in event.error
        assert "401" in self.desk.documents.list()["error"][0]
