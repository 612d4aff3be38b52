"""Findings in Notion, which is on this machine here."""

import json

from contracts.documents import TOKEN, WebContract
from integration.findings import Tool, document


class TestNotion(WebContract):
    kind, creates = "notion", ("POST", "/v1/pages")

    def tool(self, tmp_path):
        self.held, self.blocks, self.uploads = {}, {}, {}
        self.number = 0
        self.web = Tool(self.answer)
        return self.web

    def options(self):
        return {"to": "above", "token": "secret:tool", "api": self.web.url}

    def new(self, what):
        self.number += 1
        return f"{what}-{self.number}"

    def append(self, page, children):
        assert len(children) <= 100
        for child in children:
            kind = child["type"]
            if kind == "image":
                assert self.uploads[child["image"]["file_upload"]["id"]]
            id = self.new("block")
            self.blocks[id] = child | {"id": id, "page": page}

    def answer(self, method, path, query, body, headers):
        assert headers["authorization"] == f"Bearer {TOKEN}"
        assert headers["notion-version"]
        _, _, what, *rest = path.split("/")
        missing = 404, {}, '{"object":"error","status":404,"code":"object_not_found","message":"gone"}'
        if what == "pages":
            if method == "POST":
                said, id = json.loads(body), self.new("page")
                assert said["parent"] == {"page_id": "above"}
                self.held[id] = {
                    "object": "page",
                    "id": id,
                    "url": f"https://notion.so/{id}",
                    "in_trash": False,
                }
                self.append(id, said["children"])
            else:
                (id,) = rest
                if id not in self.held:
                    return missing
                if method == "PATCH":
                    self.held[id] |= json.loads(body)
            return self.held[id]
        if what == "file_uploads":
            if rest == []:
                id = self.new("file")
                self.uploads[id] = False
                return {"object": "file_upload", "id": id, "status": "pending"}
            assert b"PNG" in body or b"<svg" in body
            self.uploads[rest[0]] = True
            return {"object": "file_upload", "id": rest[0], "status": "uploaded"}
        if method == "DELETE":
            return self.blocks.pop(rest[0])
        if method == "PATCH":
            self.append(rest[0], json.loads(body)["children"])
            return {"object": "list", "results": []}
        found = [{"type": "child_page", **page} for page in self.held.values()] if rest[0] == "above" else [
            block for block in self.blocks.values() if block["page"] == rest[0]
        ]  # fmt: skip
        begin, size = int(query.get("start_cursor", 0)), min(int(query["page_size"]), 5)
        more = begin + size < len(found)
        cursor = str(begin + size) if more else None
        part = found[begin : begin + size]
        return {"object": "list", "results": part, "has_more": more, "next_cursor": cursor}

    def pages(self):
        here = [id for id, page in self.held.items() if not page["in_trash"]]
        return [json.dumps([b for b in self.blocks.values() if b["page"] == id]) for id in here]

    def forget(self):
        for page in self.held.values():
            page["in_trash"] = True

    def test_what_a_person_put_below_it_stays(self):
        done = self.publish()
        self.append(done.id, [{"type": "child_page", "child_page": {"title": "mine"}}])
        self.publish(document(words="Second words."))
        kinds = [block["type"] for block in self.blocks.values()]
        assert kinds.count("child_page") == 1
        assert kinds.count("table") == 1

    def test_an_update_that_breaks_off_is_mended_by_the_next_try(self):
        self.publish()
        self.web.cut("PATCH", "/children")
        self.publish(document(words="Second words."))
        (page,) = self.pages()
        assert page.count("Second words") == 1
        assert "First words" not in page
