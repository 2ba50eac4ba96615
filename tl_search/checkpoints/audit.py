"""Finds mistakes in how a model's checkpoints were published, from the hashes that the Hub lists, without any weights.

Published families contain such mistakes: steps that hold the weights of other steps, or a part of them, shards that are
missing, branches without weights. Nobody sees them in a model that loads.
"""

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from tl_search.checkpoints.content import foreign
from tl_search.checkpoints.listing import Listing, position
from tl_search.checkpoints.refs import Ref
from tl_search.checkpoints.repository import Access, Repository
from tl_search.checkpoints.source import owner_of
from tl_search.plane.revision import Revision
from tl_search.runs import digests
from tl_search.store.atomic import read_json, write_json
from tl_search.store.keys import digest

REQUESTS = 8  # at a time
_SHARD = re.compile(r"(.*)-(\d+)-of-(\d+)(\..*)")
_LAYERS = ("num_hidden_layers", "n_layer", "n_layers", "num_layers")
_UNLIKE = 0.01  # share by which the sizes of two revisions of one model may differ


class Kind(Enum):
    """What is wrong with a revision."""

    identical = "the same weights as"
    partial = "a part of the weights is that of"
    shards = "shards are missing"
    weights = "no weights"
    config = "no config"
    size = "another size than most"
    layers = "another number of layers"
    main = "other weights than the step it stands for"


@dataclass(frozen=True)
class Finding:
    """A mistake.

    Args:
        revision: Where.
        what: In one line.
        other: The revision whose weights it holds, if it holds any.
        files: The files that are concerned.
    """

    kind: Kind
    revision: str
    what: str
    other: str | None = None
    files: tuple[str, ...] = ()


@dataclass(frozen=True)
class Stored:
    """One file of a commit: its size in bytes, and its sha256, or the hash of a small file in git."""

    size: int
    hash: str


Files = Mapping[str, Stored]


def audit(access: Access, listing: Listing, cache: Path | None) -> tuple[Finding, ...]:
    """The mistakes in what the Hub lists of a model, in training order.

    Args:
        access: How the Hub is asked.
        cache: A folder for what the Hub lists of a commit, which never changes; None keeps nothing.

    Raises:
        UnreachableError: the Hub did not answer.
    """
    hub = Repository(listing.offer.model, access)
    refs = listing.refs
    with ThreadPoolExecutor(REQUESTS) as pool:
        files = dict(zip(refs, pool.map(lambda ref: _files(hub, ref, cache), refs.values()), strict=True))
    names = _in_order(listing)
    found = [*_missing(names, files), *_copies(names, files, listing), *_sizes(names, files)]
    found += _layers(hub, listing, names, files)
    order = {name: place for place, name in enumerate(names)}
    return tuple(sorted(found, key=lambda finding: (order[finding.revision], finding.kind.name)))


def _in_order(listing: Listing) -> list[str]:
    """All names, by their place in training; those beside the time axis, and `main`, last."""
    family, model = listing.offer.family, listing.offer.name
    steps = {name: position(name, family, model) for name in listing.refs}

    def key(name: str) -> tuple[bool, int, bool, str]:
        step = steps[name]
        return step is None, step or 0, name == "main", name

    return sorted(listing.refs, key=key)


def _files(hub: Repository, ref: Ref, cache: Path | None) -> Files:
    """The files of a commit, by name, without those in folders."""
    fixed = re.fullmatch("[0-9a-f]{40}", ref.commit) is not None
    kept = cache / "hub" / ref.repository.replace("/", "--") / f"{ref.commit}.json" if cache and fixed else None
    if kept is not None and kept.is_file():
        try:
            return {name: Stored(*entry) for name, entry in read_json(kept).items()}
        except (ValueError, TypeError, AttributeError):  # damaged: it is asked for again
            pass
    tree = hub.asked(
        f"the files of {ref.commit[:12]}",
        lambda api: list(api.list_repo_tree(ref.repository, revision=ref.commit)),
    )
    files = {
        entry.path: Stored(entry.size, entry.lfs.sha256 if entry.lfs else entry.blob_id)
        for entry in tree
        if hasattr(entry, "blob_id")
    }
    if kept is not None:
        write_json(kept, {name: [file.size, file.hash] for name, file in files.items()})
    return files


def _weights(files: Files) -> dict[str, Stored]:
    return {name: files[name] for name in digests.weight_files(files)}


def _missing(names: Iterable[str], files: Mapping[str, Files]) -> Iterator[Finding]:
    for name in names:
        weights = _weights(files[name])
        if not weights:
            yield Finding(Kind.weights, name, "there are no weights (model.safetensors or pytorch_model.bin)")
            continue
        if digests.CONFIG not in files[name]:
            yield Finding(Kind.config, name, f"there is no {digests.CONFIG}")
        shards = [found for file in weights if (found := _SHARD.fullmatch(file))]
        for start, total, end in sorted({(found[1], found[3], found[4]) for found in shards}):
            wanted = [f"{start}-{number:0{len(total)}}-of-{total}{end}" for number in range(1, int(total) + 1)]
            lost = tuple(file for file in wanted if file not in weights)
            if lost:
                yield Finding(Kind.shards, name, f"{len(lost)} of {int(total)} shards are missing", files=lost)


def _copies(names: Sequence[str], files: Mapping[str, Files], listing: Listing) -> Iterator[Finding]:
    """Revisions that hold the weights of others, whole or in part."""
    family, model = listing.offer.family, listing.offer.name
    steps = {name: step for name in names if (step := position(name, family, model)) is not None}
    if "main" in names and "main" not in steps:
        steps["main"] = max(steps.values(), default=-1) + 1
    held = {name: weights for name in steps if (weights := _weights(files[name]))}
    ordered = [Revision(name, steps[name], weights=digest([file.hash for file in held[name].values()], 64))
               for name in sorted(held, key=lambda name: (steps[name], name == "main"))]  # fmt: skip
    places: dict[str, list[int]] = defaultdict(list)
    for place, revision in enumerate(ordered):
        places[revision.weights].append(place)
    distinct = []
    for group in places.values():
        kept = owner_of(group, ordered)
        distinct.append(kept)
        for place in group:
            copy = ordered[place].name
            if copy not in (kept.name, "main"):
                told = f"all weights are those of {kept.name}"
                yield Finding(Kind.identical, copy, told, kept.name, tuple(held[copy]))
    final = next((revision for revision in ordered if revision.step == steps.get("main")), None)
    main = next((revision for revision in ordered if revision.name == "main"), None)
    if main is not None and final is not None and final.weights != main.weights:
        yield Finding(Kind.main, "main", f"the weights are not those of {final.name}", final.name)
        distinct = [revision for revision in distinct if revision is not main]
    distinct.sort(key=lambda revision: revision.step)
    parts = {name: tuple(file.hash for file in weights.values()) for name, weights in held.items()}
    for name, other in foreign(distinct, parts).items():
        shared = tuple(file for file, stored in held[name].items() if stored.hash in parts[other])
        told = (
            f"{len(shared)} of {len(held[name])} files with weights are those of {other}, and not of the steps between"
        )
        yield Finding(Kind.partial, name, told, other, shared)


def _sizes(names: Sequence[str], files: Mapping[str, Files]) -> Iterator[Finding]:
    sizes = {name: sum(file.size for file in weights.values()) for name in names if (weights := _weights(files[name]))}
    usual = _most(sizes.values())
    for name, size in sizes.items():
        if usual and abs(size - usual) > _UNLIKE * usual:
            yield Finding(Kind.size, name, f"the weights are {size:,} bytes, those of most revisions {usual:,}")


def _layers(hub: Repository, listing: Listing, names: Sequence[str], files: Mapping[str, Files]) -> Iterator[Finding]:
    """Configs with another number of layers; each different config is downloaded once."""
    configs = {files[name][digests.CONFIG].hash: name for name in names if digests.CONFIG in files[name]}

    def layers(name: str) -> int | None:
        ref = listing.refs[name]
        return _layers_in(hub.beside(ref.repository).download(ref.commit, name, digests.CONFIG))

    with ThreadPoolExecutor(REQUESTS) as pool:
        counted = dict(zip(configs, pool.map(layers, configs.values()), strict=True))
    of = {name: counted[files[name][digests.CONFIG].hash] for name in names if digests.CONFIG in files[name]}
    known = listing.offer.sizes
    usual = known.blocks if known is not None else _most(count for count in of.values() if count)
    for name, count in of.items():
        if count is None:
            yield Finding(Kind.layers, name, f"its {digests.CONFIG} tells no number of layers")
        elif usual and count != usual:
            yield Finding(Kind.layers, name, f"its {digests.CONFIG} says {count} layers, the model has {usual}")


def _layers_in(config: Path) -> int | None:
    try:
        told: Any = json.loads(config.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    nested = [told, *(part for part in told.values() if isinstance(part, dict))] if isinstance(told, dict) else []
    return next((part[key] for part in nested for key in _LAYERS if isinstance(part.get(key), int)), None)


def _most(values: Iterable[int]) -> int | None:
    counted = Counter(values).most_common(1)
    return counted[0][0] if counted else None
