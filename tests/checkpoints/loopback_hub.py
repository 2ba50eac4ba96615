"""A Hub on the loopback device, for the real client: models are folders `root/<organisation>/<name>/<branch>/`.

It answers what listing, describing and downloading ask for, and can fail on purpose: `faults` maps a piece of a path to
the answers that requests with it get first (a status, or "drop" for a connection that breaks).
"""

import hashlib
import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

LARGE = (".safetensors", ".bin")  # listed with their sha256, as files under Git LFS are


class LoopbackHub:
    def __init__(self, root: Path) -> None:
        self.root = root
        self.faults: dict[str, list[int | str]] = {}
        self.asked: list[str] = []
        self.gated: set[str] = set()
        hub = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *args) -> None:
                pass

            def do_GET(self) -> None:
                hub.answer(self)

            do_HEAD = do_GET  # noqa: N815

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    def branches(self, name: str) -> dict[str, str]:
        """Branch → commit."""
        return {
            folder.name: hashlib.sha1(f"{folder}".encode() + b"".join(map(content, files(folder)))).hexdigest()
            for folder in sorted((self.root / name).iterdir())
        }

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        path = unquote(urlsplit(request.path).path)
        self.asked.append(path)
        for piece, answers in self.faults.items():
            if piece in path and answers:
                fault = answers.pop(0)
                if fault == "drop":
                    request.close_connection = True
                    return
                return send(request, int(fault), b"fault", **({"Retry-After": "0"} if fault == 429 else {}))
        api = re.fullmatch(r"/api/models/([^/]+/[^/]+)/(refs|revision|tree)(?:/([^/]+))?(?:/.*)?", path)
        raw = re.fullmatch(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path)
        found = api or raw
        if not found:
            return fail(request, 404, "NotFound")
        name = found.group(1)
        if not (self.root / name).is_dir():
            return fail(request, 401, "RepoNotFound")
        if name in self.gated:
            return fail(request, 403, "GatedRepo")
        branches = self.branches(name)
        if api and api.group(2) == "refs":
            refs = [{"name": b, "ref": f"refs/heads/{b}", "targetCommit": c} for b, c in branches.items()]
            return send(request, 200, {"branches": refs, "tags": [], "converts": []})
        wanted = api.group(3) if api else raw.group(2)
        branch = next((b for b, c in branches.items() if wanted in (b, c)), None)
        if branch is None:
            return fail(request, 404, "RevisionNotFound")
        folder, commit = self.root / name / branch, branches[branch]
        if raw:
            return self.file(request, folder / raw.group(3), commit)
        listed = [describe(file) for file in files(folder)]
        if api.group(2) == "tree":
            tree = [
                {"type": "file", "oid": entry["blobId"], "path": entry.pop("rfilename"), **entry} for entry in listed
            ]
            return send(request, 200, tree)
        send(request, 200, {"id": name, "modelId": name, "sha": commit, "siblings": listed, "tags": []})

    def file(self, request: BaseHTTPRequestHandler, file: Path, commit: str) -> None:
        if not file.is_file():
            return fail(request, 404, "EntryNotFound", **{"X-Repo-Commit": commit})
        etag = hashlib.sha256(content(file)).hexdigest()
        send(request, 200, content(file), **{"X-Repo-Commit": commit, "ETag": f'"{etag}"'})


def files(folder: Path) -> list[Path]:
    return sorted(file for file in folder.iterdir() if file.is_file())


def content(file: Path) -> bytes:
    return file.read_bytes()


def describe(file: Path) -> dict:
    data = content(file)
    entry = {"rfilename": file.name, "size": len(data), "blobId": hashlib.sha1(data).hexdigest()}
    if file.name.endswith(LARGE):
        sha256 = hashlib.sha256(data).hexdigest()
        entry["lfs"] = {"sha256": sha256, "oid": sha256, "size": len(data), "pointerSize": 130}
    return entry


def send(request: BaseHTTPRequestHandler, status: int, body: object, **headers: str) -> None:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    kind = {} if isinstance(body, bytes) else {"Content-Type": "application/json"}
    request.send_response(status)
    for key, value in {"Content-Length": str(len(data)), **kind, **headers}.items():
        request.send_header(key, value)
    request.end_headers()
    if request.command != "HEAD":
        request.wfile.write(data)


def fail(request: BaseHTTPRequestHandler, status: int, code: str, **headers: str) -> None:
    send(request, status, {"error": code}, **{"X-Error-Code": code, "X-Error-Message": code, **headers})
