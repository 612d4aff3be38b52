"""Findings in Google Docs, which is on this machine here."""

import json
import re
from functools import cache

import pytest

from contracts.documents import TOKEN, WebContract
from integration.findings import Tool, document
from tapebook.errors import BadInput


@cache
def key():
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    made = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    plain = serialization.NoEncryption()
    return made.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain).decode()


class TestGoogle(WebContract):
    kind, creates = "google-docs", ("POST", "/upload/drive/v3/files")

    def tool(self, tmp_path):
        self.files = {}
        self.web = Tool(self.answer)
        self.web.sound = "/token"
        account = {
            "type": "service_account", "client_email": "desk@example.com", "private_key": key(),
            "private_key_id": TOKEN, "token_uri": f"{self.web.url}/token", "project_id": "p",
        }  # fmt: skip
        self.desk.secrets.set("account", json.dumps(account))
        return self.web

    def options(self):
        return {"to": "folder-1", "token": "secret:account", "api": self.web.url}

    def answer(self, method, path, query, body, headers):
        if path == "/token":
            assert b"assertion=" in body
            return {"access_token": "passing-token", "expires_in": 3600, "token_type": "Bearer"}
        assert headers["authorization"] == "Bearer passing-token"
        id = path.partition("/drive/v3/files")[2].strip("/")
        if method == "GET" and not id:
            (marker,) = re.findall(r"value='(\w+)'", query["q"])
            here = [f for f in self.files.values() if not f["trashed"]]
            return {"files": [f for f in here if f["appProperties"]["tapebook"] == marker]}
        if id and id not in self.files:
            return 404, {}, '{"error": {"code": 404, "message": "File not found"}}'
        if method == "GET":
            return self.files[id]
        if path.startswith("/upload"):
            assert query["uploadType"] == "multipart"
            edge = re.findall(r'boundary="?([^";]+)', headers["content-type"])[0].encode()
            _, said, page, _ = body.split(b"--" + edge)
            said = json.loads(said.split(b"\n\n", 1)[1])
            said["text"] = page.split(b"\n\n", 1)[1].decode()
        else:
            said = json.loads(body)
        if method == "POST":
            assert said["mimeType"] == "application/vnd.google-apps.document"
            assert said["parents"] == ["folder-1"]
            id = f"doc-{len(self.files)}"
        self.files[id] = {"trashed": False} | self.files.get(id, {}) | said | {"id": id}
        return self.files[id]

    def pages(self):
        return [file["text"] for file in self.files.values() if not file["trashed"]]

    def forget(self):
        for file in self.files.values():
            file["trashed"] = True

    def test_the_chart_is_in_it(self):
        self.publish(document(title="Ünï 数字"))
        (page,) = self.pages()
        assert 'src="data:image/png;base64,' in page
        assert "<h1>Ünï 数字</h1>" in page

    def test_a_credential_of_another_kind_is_refused(self):
        self.desk.secrets.set("account", "no json at all")
        with pytest.raises(BadInput, match="service account"):
            self.publish()

    def test_a_refused_sign_in_is_told(self):
        self.web.sound = ""
        self.web.faults += [(400, {}, '{"error": "invalid_grant", "error_description": "Invalid JWT"}')]
        with pytest.raises(BadInput, match=r"signing in to Google failed.*invalid_grant"):
            self.publish()
