"""tavu push and hf:OWNER/NAME, against a hub on this machine that speaks as much of the hub's API as they use."""

import base64
import hashlib
import json
import re
import socket
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

pytest.importorskip("huggingface_hub", reason="huggingface_hub is not installed")

from huggingface_hub import close_session, constants

from tavu.errors import TavuError
from tavu.export.hub import push
from tavu.hub import PUBLISHED, download
from tavu.language_model import load
from tavu.stored_model import find_model, open_model
from tests.export.conftest import FORMAT

FILE = FORMAT / "fixed-3-levels.safetensors"
OTHER = FORMAT / "fixed-2-levels-8-bits.safetensors"


@dataclass
class Repository:
    private: bool = False
    commits: list[dict[str, bytes]] = field(default_factory=list)

    def at(self, revision: str) -> tuple[str, dict[str, bytes]] | None:
        names = [hashlib.sha1(str((number, sorted(files))).encode()).hexdigest() for number, files in enumerate(self.commits)]
        if revision == "main" and names:
            return names[-1], self.commits[-1]
        return next(((name, files) for name, files in zip(names, self.commits, strict=True) if name == revision), None)


class Hub(ThreadingHTTPServer):
    """Repositories in memory. Its token is `hf_ours`; owner `others` takes nothing from it; names with `gated` in them are."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Answers)
        self.repositories: dict[str, Repository] = {}
        self.asked: list[str] = []


class Answers(BaseHTTPRequestHandler):
    server: Hub
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        content = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.asked.append(self.path)
        if self.path == "/api/validate-yaml":
            return self.answer({"errors": [], "warnings": []})
        if self.headers.get("Authorization") != "Bearer hf_ours":
            return self.fail(401, "Invalid username or password.")
        if self.path == "/api/repos/create":
            wanted = json.loads(content)
            name = f"{wanted['organization']}/{wanted['name']}" if wanted.get("organization") else f"me/{wanted['name']}"
            if name.startswith("others/"):
                return self.fail(403, "You don't have the rights to create a model under the namespace others")
            private = wanted.get("private") or wanted.get("visibility") == "private"
            if name in self.server.repositories:
                return self.answer({"url": f"/{name}"}, status=409)
            self.server.repositories[name] = Repository(bool(private))
            return self.answer({"url": f"{constants.ENDPOINT}/{name}", "name": name})
        found = re.fullmatch(r"/api/models/([^/]+/[^/]+)/(preupload|commit)/main", self.path)
        assert found, self.path
        if found[2] == "preupload":
            files = json.loads(content)["files"]
            return self.answer({"files": [{"path": file["path"], "uploadMode": "regular", "shouldIgnore": False, "oid": None} for file in files]})
        repository = self.server.repositories[found[1]]
        rows = [json.loads(line) for line in content.splitlines()]
        files = {row["value"]["path"]: base64.b64decode(row["value"]["content"]) for row in rows if row["key"] == "file"}
        repository.commits.append((repository.commits[-1] if repository.commits else {}) | files)
        oid, _ = repository.at("main")
        self.answer({"commitUrl": f"{constants.ENDPOINT}/{found[1]}/commit/{oid}", "commitOid": oid, "pullRequestUrl": None})

    def do_HEAD(self):
        self.do_GET()

    def do_GET(self):
        self.server.asked.append(self.path)
        if found := re.fullmatch(r"/api/models/([^/]+/[^/?]+)(\?.*)?", self.path):
            if (repository := self.server.repositories.get(found[1])) is None:
                return self.fail(404, "Repository not found.", "RepoNotFound")
            return self.answer({"id": found[1], "private": repository.private, "siblings": []})
        found = re.fullmatch(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", self.path)
        assert found, self.path
        name, revision, path = found.groups()
        if "gated" in name:
            return self.fail(403, "Access is restricted.", "GatedRepo")
        repository = self.server.repositories.get(name)
        if repository is None or (repository.private and self.headers.get("Authorization") != "Bearer hf_ours"):
            return self.fail(401, "Repository not found.", "RepoNotFound")
        if (commit := repository.at(revision)) is None:
            return self.fail(404, "Revision not found.", "RevisionNotFound") if repository.commits else self.fail(404, "No file.", "EntryNotFound")
        oid, files = commit
        if path not in files:
            return self.fail(404, "No file.", "EntryNotFound", oid)
        self.reply(200, files[path], {"ETag": f'"{hashlib.sha1(files[path]).hexdigest()}"', "X-Repo-Commit": oid})

    def answer(self, content: dict, status: int = 200):
        self.reply(status, json.dumps(content).encode(), {"Content-Type": "application/json"})

    def fail(self, status: int, message: str, code: str = "", oid: str = ""):
        headers = {"X-Error-Message": message} | ({"X-Error-Code": code} if code else {}) | ({"X-Repo-Commit": oid} if oid else {})
        self.reply(status, json.dumps({"error": message}).encode(), headers)

    def reply(self, status: int, content: bytes, headers: dict[str, str]):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def log_message(self, *_):
        pass


@pytest.fixture
def endpoint(monkeypatch, tmp_path):
    """Send the hub's library to an address; it has read its environment when it was imported."""

    def use(address: str, token: str | None = "hf_ours") -> None:
        monkeypatch.setattr(constants, "ENDPOINT", address)
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", address + "/{repo_id}/resolve/{revision}/{filename}")
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
        monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "token"))
        monkeypatch.setattr("huggingface_hub.hf_api.ENDPOINT", address, raising=False)
        monkeypatch.setattr("huggingface_hub.hf_api.api.endpoint", address, raising=False)
        monkeypatch.delenv("HF_TOKEN", raising=False)
        if token:
            monkeypatch.setenv("HF_TOKEN", token)

    return use


@pytest.fixture
def hub(endpoint):
    with Hub() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        endpoint(f"http://127.0.0.1:{server.server_port}")
        yield server
        close_session()
        server.shutdown()


def test_a_model_that_was_pushed_is_found_by_its_name(hub):
    pushed = push(FILE, "me/stories")
    assert pushed.url == f"{constants.ENDPOINT}/me/stories" and pushed.num_bytes > 2 * FILE.stat().st_size and not pushed.kept_card
    assert find_model("hf:me/stories").read_bytes() == FILE.read_bytes()
    stored, loaded = open_model("hf:me/stories"), load("hf:me/stories")
    assert (stored.name, loaded.name) == ("me/stories", "me/stories")
    assert loaded.generate("Once", temperature=0, max_bytes=20) == load(FILE).generate("Once", temperature=0, max_bytes=20)
    files = hub.repositories["me/stories"].commits[-1]
    assert {"README.md", "config.json", "model.safetensors", "modeling_tavu.py", "tokenizer.json", PUBLISHED} <= files.keys()
    assert b"tavu generate hf:me/stories" in files["README.md"] and not hub.repositories["me/stories"].private


def test_nothing_but_the_model_file_is_read(hub):
    push(FILE, "me/stories")
    hub.asked.clear()
    path = download("hf:me/stories")
    assert [*path.parent.iterdir()] == [path]
    assert {asked.rpartition("/")[2] for asked in hub.asked if "/resolve/" in asked} == {PUBLISHED}


@pytest.mark.slow  # the library of the hub tries five times
def test_a_copy_is_read_without_a_network(hub, endpoint):
    push(FILE, "me/stories")
    path = download("hf:me/stories")
    endpoint(nowhere())
    assert download("hf:me/stories") == path
    with pytest.raises(TavuError, match="^me/other could not be reached at .*, and there is no copy of it here. Run the command again when "):
        download("hf:me/other")


def nowhere() -> str:
    """An address at which nothing listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{taken.getsockname()[1]}"


def test_a_revision_stays_what_it_was(hub):
    first = push(FILE, "me/stories").revision
    push(OTHER, "me/stories")
    assert download(f"hf:me/stories@{first}").read_bytes() == FILE.read_bytes()
    assert download("hf:me/stories").read_bytes() == download("hf:me/stories@main").read_bytes() == OTHER.read_bytes()
    with pytest.raises(TavuError, match=r"^me/stories has no revision 'v9'. See http.*/me/stories/commits/main, or leave out the @\.$"):
        download("hf:me/stories@v9")


def test_a_card_that_is_there_is_kept(hub):
    push(FILE, "me/stories")
    hub.repositories["me/stories"].commits[-1]["README.md"] = b"Mine."
    assert push(OTHER, "me/stories").kept_card
    files = hub.repositories["me/stories"].commits[-1]
    assert files["README.md"] == b"Mine." and files[PUBLISHED] == OTHER.read_bytes()


def test_private_is_private_or_nothing_is_uploaded(hub, endpoint):
    push(FILE, "me/diary", private=True)
    assert hub.repositories["me/diary"].private
    push(FILE, "me/stories")
    with pytest.raises(TavuError, match="^me/stories exists and is public, so nothing was uploaded. Make it private at "):
        push(OTHER, "me/stories", private=True)
    assert len(hub.repositories["me/stories"].commits) == 1
    endpoint(constants.ENDPOINT, token=None)
    with pytest.raises(TavuError, match="^There is no model me/diary at http.*, or it is private. Check its name, or log in with `hf auth login`"):
        download("hf:me/diary")


def test_what_the_hub_refuses_is_said_in_a_sentence(hub, endpoint):
    hub.repositories["them/gated"] = hub.repositories["them/llama"] = Repository(commits=[{"model.safetensors": b"x", "pytorch_model.bin": b"x"}])
    with pytest.raises(TavuError, match=r"^them/gated is gated. Ask for access at http.*/them/gated, then log in with `hf auth login`\.$"):
        download("hf:them/gated")
    with pytest.raises(TavuError, match=r"^them/llama is not a tavu model: it has no tavu.safetensors. Name one that `tavu push` uploaded\.$"):
        download("hf:them/llama")
    with pytest.raises(TavuError, match=r"^There is no model me/nothing at http"):
        download("hf:me/nothing")
    with pytest.raises(TavuError, match=r"^Your login may not write to others/x. Use a token with write access, or a repository of your own\.$"):
        push(FILE, "others/x")
    endpoint(constants.ENDPOINT, token="hf_wrong")
    with pytest.raises(TavuError, match=r"^me/stories could not be written without a valid login: log in with `hf auth login`\.$"):
        push(FILE, "me/stories")
    endpoint(constants.ENDPOINT, token=None)
    with pytest.raises(TavuError, match=r"^me/stories could not be written without a (valid )?login: log in with `hf auth login`\.$"):
        push(FILE, "me/stories")
    endpoint(nowhere())
    with pytest.raises(TavuError, match=r"^me/stories was not uploaded: http.* could not be reached \(.*\). Run the command again when "):
        push(FILE, "me/stories")


def test_a_name_that_is_none(hub):
    with pytest.raises(TavuError, match=r"^'hf:stories' does not name a model on the hub, expected hf:OWNER/NAME\[@REVISION\], e.g. hf:me/"):
        find_model("hf:stories")
    with pytest.raises(TavuError, match=r"^'hf:me/stories@' has no revision after the @, expected a branch, tag or commit, e.g. hf:me/stories@main"):
        find_model("hf:me/stories@")
    with pytest.raises(TavuError, match=r"^'stories' does not name a model on the hub, expected OWNER/NAME, e.g. me/stories\.$"):
        push(FILE, "stories")
    assert hub.asked == []
