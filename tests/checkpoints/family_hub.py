"""The loopback Hub with tags, commits with titles, sibling repositories, and lists in pages."""

import re
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

from checkpoints.loopback_hub import LoopbackHub, describe, files, send

PAGE = 2  # files in one page of a list


class FamilyHub(LoopbackHub):
    """`tags` are the folders that are tags; `titles` maps a model's branch to its commits: (folder, title)."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.tags: set[str] = set()
        self.titles: dict[str, dict[str, list[tuple[str, str]]]] = {}

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        split = urlsplit(request.path)
        path, query = unquote(split.path), {key: values[0] for key, values in parse_qs(split.query).items()}
        if path == "/api/models":
            self.asked.append(path)
            return send(request, 200, self._models(query["author"], query["search"]))
        found = re.fullmatch(r"/api/models/([^/]+/[^/]+)/(refs|commits|tree)(?:/([^/]+))?", path)
        if not found or not (self.root / found[1]).is_dir() or any(self.faults.values()) or found[1] in self.gated:
            return super().answer(request)
        self.asked.append(path)
        name, what, revision = found.groups()
        commits = self.branches(name)
        if what == "refs":
            tags = {branch for branch in commits if branch in self.tags}
            branches = {**dict.fromkeys(self.titles.get(name, {}), "0" * 40), **commits}
            hidden = {folder for titles in self.titles.get(name, {}).values() for folder, _ in titles}
            listed = [_ref(branch, commit, "heads") for branch, commit in branches.items()
                      if branch not in tags | hidden]  # fmt: skip
            return send(request, 200, {"branches": listed, "converts": [],
                                       "tags": [_ref(tag, commits[tag], "tags") for tag in sorted(tags)]})  # fmt: skip
        if what == "commits":
            titles = self.titles.get(name, {}).get(revision, [])
            rest = {"message": "", "authors": [], "date": "2025-01-01T00:00:00Z"}
            told = [{"id": commits[folder], "title": title, **rest} for folder, title in titles]
            return send(request, 200, told)
        folder = next((branch for branch, commit in commits.items() if revision in (branch, commit)), None)
        if folder is None:
            return super().answer(request)
        listed = [describe(file) for file in files(self.root / name / folder)]
        begin = int(query.get("cursor", 0))
        tree = [{"type": "file", "oid": entry["blobId"], "path": entry["rfilename"], **entry} for entry in listed]
        more = {"Link": f'<{self.url}{path}?cursor={begin + PAGE}>; rel="next"'} if begin + PAGE < len(tree) else {}
        send(request, 200, tree[begin : begin + PAGE], **more)

    def _models(self, author: str, search: str) -> list[dict]:
        names = [folder.name for folder in sorted((self.root / author).iterdir()) if search in folder.name]
        return [{"id": f"{author}/{name}", "modelId": f"{author}/{name}", "tags": [],
                 "sha": self.branches(f"{author}/{name}")["main"]} for name in names]  # fmt: skip


def _ref(name: str, commit: str, kind: str) -> dict:
    return {"name": name, "ref": f"refs/{kind}/{name}", "targetCommit": commit}
