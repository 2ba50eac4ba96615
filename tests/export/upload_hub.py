"""A Hub on the loopback device that takes uploads from the real client: `repositories` maps a name to path → bytes."""

import base64
import hashlib
import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

TOKEN = "hf_" + "a" * 34


class UploadHub:
    def __init__(self) -> None:
        self.repositories: dict[str, dict[str, bytes]] = {}
        self.private: set[str] = set()
        self.commits: list[tuple[str, str]] = []
        self.asked: list[str] = []
        self.faults: dict[str, int] = {}  # piece of a request → status of its answer
        self.stored: dict[str, bytes] = {}  # by sha256, what was uploaded apart from a commit
        hub = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *args) -> None:
                pass

            def answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                status, found = hub.answer(self.command, urlsplit(self.path).path, body, self.headers)
                data = json.dumps(found).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST = do_PUT = answer  # noqa: N815

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    def answer(self, method: str, path: str, body: bytes, headers) -> tuple[int, object]:
        self.asked.append(f"{method} {path}")
        for piece, status in self.faults.items():
            if piece in f"{method} {path}":
                return status, {"error": "fault"}
        if method == "PUT" and path.startswith("/stored/"):
            self.stored[path.removeprefix("/stored/")] = body
            return 200, {}
        if headers.get("Authorization") != f"Bearer {TOKEN}":
            return 401, {"error": "who are you?"}
        if path == "/api/validate-yaml":
            return 200, {"errors": [], "warnings": []}
        if path == "/api/repos/create":
            return self.create(json.loads(body))
        if found := re.fullmatch(r"/([^/]+/[^/]+)\.git/info/lfs/objects/batch", path):
            objects = json.loads(body)["objects"]
            for one in objects:
                one["actions"] = {"upload": {"href": f"{self.url}/stored/{one['oid']}"}}
            return 200, {"transfer": "basic", "objects": objects}
        found = re.fullmatch(r"/api/models/([^/]+/[^/]+)(?:/(revision|tree|preupload|commit)/main)?", path)
        if not found or found.group(1) not in self.repositories:
            return 404, {"error": path}
        name, what = found.groups()
        files = self.repositories[name]
        if what == "preupload":
            modes = [
                {"path": f["path"], "uploadMode": "lfs" if f["path"].endswith(".safetensors") else "regular",
                 "shouldIgnore": False}
                for f in json.loads(body)["files"]
            ]  # fmt: skip
            return 200, {"files": modes, "commitOid": self.commit(name)}
        if what == "commit":
            return self.take(name, [json.loads(line) for line in body.splitlines()])
        if what == "tree":
            listed = [
                {"type": "file", "path": p, "size": len(b), "oid": hashlib.sha1(b).hexdigest()}
                for p, b in files.items()
            ]
            return 200, listed
        siblings = [{"rfilename": path} for path in files]
        return 200, {"id": name, "sha": self.commit(name), "private": name in self.private, "siblings": siblings}

    def commit(self, name: str) -> str:
        return hashlib.sha1(repr(self.repositories[name]).encode()).hexdigest()

    def create(self, asked: dict) -> tuple[int, object]:
        name = f"{asked['organization']}/{asked['name']}"
        if name in self.repositories:
            return 409, {"error": "You already created this model repo", "url": f"{self.url}/{name}"}
        self.repositories[name] = {".gitattributes": b"*.safetensors filter=lfs\n"}
        if asked.get("private") or asked.get("visibility") == "private":
            self.private.add(name)
        return 200, {"url": f"{self.url}/{name}", "name": name, "id": "1"}

    def take(self, name: str, lines: list[dict]) -> tuple[int, object]:
        files = self.repositories[name]
        for line in lines:
            value = line["value"]
            if line["key"] == "header":
                self.commits.append((name, value["summary"]))
            elif line["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif line["key"] == "lfsFile":
                files[value["path"]] = self.stored[value["oid"]]
            elif line["key"] == "deletedFile":
                del files[value["path"]]
        return 200, {"success": True, "commitOid": self.commit(name), "commitUrl": f"{self.url}/{name}/commit/1"}
