"""A Hub on the loopback device, for the real client: models are folders `root/<organisation>/<name>/<branch>/`.

It answers what listing, describing and downloading ask for, and can fail on purpose: `faults` maps a piece of a request
(`GET /EleutherAI/tiny/resolve/…`) to the answers that such requests get first:

- a status: an answer with it, without the code by which the Hub says what is wrong; 429 asks to wait `retry_after`
- `gated`, `removed`: 403 and 404 with that code
- `drop`: the connection is closed before an answer; `reset`: it is reset
- `stall`: nothing is ever sent; `stall half`: nothing after half of the file
- `cut`: the connection is closed after half of the file; `short`: the file is said to be half as long
- `slow`: the file comes a byte at a time; `corrupt`: with one byte changed
- `page`: a web page, with status 200; `other`: JSON that is not what was asked for

What is planted (duplicates, shards of other revisions, gaps) is a matter of the folders.
"""

import hashlib
import json
import re
import socket
import struct
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

LARGE = (".safetensors", ".bin")  # listed with their sha256, as files under Git LFS are
CODES = {"gated": (403, "GatedRepo"), "removed": (404, "EntryNotFound")}


class LoopbackHub:
    def __init__(self, root: Path) -> None:
        self.root = root
        self.faults: dict[str, list[int | str]] = {}
        self.asked: list[str] = []
        self.downloads: list[tuple[str, str]] = []  # (file, range) of each GET of a file
        self.gated: set[str] = set()
        self.retry_after = "0"
        self.page = 1000  # files on one page of a tree
        self.closed = threading.Event()
        hub = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *args) -> None:
                pass

            def do_GET(self) -> None:
                hub.answer(self)

            do_HEAD = do_GET  # noqa: N815

        class Server(ThreadingHTTPServer):
            daemon_threads, request_queue_size = True, 64

            def handle_error(self, request, client_address) -> None:
                pass  # a client that gave up

        self.server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        self.closed.set()
        self.server.shutdown()
        self.server.server_close()

    def branches(self, name: str) -> dict[str, str]:
        """Branch → commit."""
        return {
            folder.name: hashlib.sha1(f"{folder}".encode() + b"".join(map(content, files(folder)))).hexdigest()
            for folder in sorted((self.root / name).iterdir())
        }

    def fault(self, request: BaseHTTPRequestHandler, path: str) -> int | str | None:
        for piece, answers in self.faults.items():
            if piece in f"{request.command} {path}" and answers:
                return answers.pop(0)
        return None

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        url = urlsplit(request.path)
        path = unquote(url.path)
        self.asked.append(path)
        fault = self.fault(request, path)
        if fault == "drop":
            request.close_connection = True
            return
        if fault == "reset":
            return reset(request)
        if fault == "stall":
            return self.stall(request)
        if fault == "page":
            return send(request, 200, b"<html>Please log in.</html>", **{"Content-Type": "text/html; charset=utf-8"})
        if fault == "other":
            return send(request, 200, ["unexpected"])
        if fault in CODES:
            return fail(request, *CODES[fault])
        if isinstance(fault, int):
            return send(request, fault, b"fault", **({"Retry-After": self.retry_after} if fault == 429 else {}))
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
            return self.file(request, folder / raw.group(3), commit, fault)
        listed = [describe(file) for file in files(folder)]
        if api.group(2) == "tree":
            return self.tree(request, listed, int(parse_qs(url.query).get("cursor", ["0"])[0]))
        send(request, 200, {"id": name, "modelId": name, "sha": commit, "siblings": listed, "tags": []})

    def tree(self, request: BaseHTTPRequestHandler, listed: list[dict], begin: int) -> None:
        tree = [{"type": "file", "oid": entry["blobId"], "path": entry.pop("rfilename"), **entry} for entry in listed]
        end = begin + self.page
        address = f"{self.url}{urlsplit(request.path).path}?cursor={end}"
        more = {"Link": f'<{address}>; rel="next"'} if end < len(tree) else {}
        send(request, 200, tree[begin:end], **more)

    def file(self, request: BaseHTTPRequestHandler, file: Path, commit: str, fault: int | str | None) -> None:
        if not file.is_file():
            return fail(request, 404, "EntryNotFound", **{"X-Repo-Commit": commit})
        data, wanted = content(file), request.headers.get("Range", "")
        headers = {"X-Repo-Commit": commit, "ETag": f'"{hashlib.sha256(data).hexdigest()}"', "Accept-Ranges": "bytes"}
        if request.command == "HEAD":
            return send(request, 200, data, **headers)
        self.downloads.append((f"{file.parent.name}/{file.name}", wanted))
        if fault == "corrupt":
            data = bytes([data[0] ^ 1]) + data[1:]
        if fault == "short":
            data = data[: len(data) // 2]
        begin, status = 0, 200
        if found := re.fullmatch(r"bytes=(\d+)-", wanted):
            begin, status = int(found[1]), 206
            headers["Content-Range"] = f"bytes {begin}-{len(data) - 1}/{len(data)}"
        data = data[begin:]
        if fault not in ("cut", "stall half", "slow"):
            return send(request, status, data, **headers)
        start(request, status, len(data), headers)
        if fault == "slow":
            for at in range(len(data)):
                request.wfile.write(data[at : at + 1])
                if self.closed.wait(0.02):
                    return
        request.wfile.write(data[: len(data) // 2])
        if fault == "stall half":
            self.stall(request)
        request.close_connection = True

    def stall(self, request: BaseHTTPRequestHandler) -> None:
        request.close_connection = True
        self.closed.wait(60)


def reset(request: BaseHTTPRequestHandler) -> None:
    request.close_connection = True
    request.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    request.rfile.close()
    request.wfile.close()
    request.connection.close()


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


def start(request: BaseHTTPRequestHandler, status: int, length: int, headers: Mapping[str, str]) -> None:
    request.send_response(status)
    for key, value in {"Content-Length": str(length), **headers}.items():
        request.send_header(key, value)
    request.end_headers()


def send(request: BaseHTTPRequestHandler, status: int, body: object, **headers: str) -> None:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    kind = {} if isinstance(body, bytes) else {"Content-Type": "application/json"}
    start(request, status, len(data), {**kind, **headers})
    if request.command != "HEAD":
        request.wfile.write(data)


def fail(request: BaseHTTPRequestHandler, status: int, code: str, **headers: str) -> None:
    send(request, status, {"error": code}, **{"X-Error-Code": code, "X-Error-Message": code, **headers})
