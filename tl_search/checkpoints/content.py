"""What the files of a revision hold: equal numbers in other bytes, and shards of other revisions."""

import hashlib
import logging
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from tl_search.plane.revision import Revision
from tl_search.runs import digests
from tl_search.store.archives import check_archive
from tl_search.store.keys import digest
from tl_search.store.manifest import file_digest
from tl_search.store.outside import parse_json, read_json

log = logging.getLogger(__name__)

_HEADER = 100 << 20  # bytes of the header of a safetensors file, which no reader takes longer
_PROBE = 4096  # bytes at either end of a tensor that are compared first


@dataclass(frozen=True)
class Content:
    """What identifies a revision's files.

    Args:
        weights: As in `Revision`.
        tokenizer: Likewise.
        parts: sha256 of each file with weights.
        same: Equal for revisions whose numbers are equal, whatever the bytes around them; the digest of the weights
            where nothing better is known.
    """

    weights: str
    tokenizer: str
    parts: tuple[str, ...] = ()
    same: str = ""


def folder_contents(folders: Mapping[str, Path]) -> dict[str, Content]:
    """The contents of models in folders, by the names of their revisions. Tensors are compared without headers.

    Only models of which some bytes of each tensor agree are compared as a whole.
    """
    found, alike = {}, defaultdict(list)
    for name, folder in folders.items():
        weights = digests.weight_files(path.name for path in folder.iterdir())
        sha256 = {
            path.name: file_digest(path) for path in folder.iterdir() if path.name in {*weights, *digests.TOKENIZER}
        }
        found[name] = Content(*digests.folder_digests(folder, sha256), tuple(sha256[file] for file in weights))
        alike[_tensors(folder, weights, _ends)].append(name)
    for probe, names in alike.items():
        if probe is not None and len({found[name].weights for name in names}) > 1:
            for name in names:
                weights = digests.weight_files(path.name for path in folders[name].iterdir())
                same = _tensors(folders[name], weights, lambda tensor: tensor)
                found[name] = Content(found[name].weights, found[name].tokenizer, found[name].parts, same or "")
    return found


def foreign(revisions: Sequence[Revision], parts: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Revisions with a file of weights that belongs to a step far away → the name of that step.

    A file belongs to the latest run of neighbours that have it; if it is in step 0 and the next one but not in the last
    revision, to these. What more than half of the revisions have (and more than two) is a part that was not trained.

    Args:
        revisions: In training order, no two alike.
        parts: Revision's name → sha256 of its files of weights.
    """
    places: dict[str, list[int]] = defaultdict(list)
    for place, revision in enumerate(revisions):
        for part in set(parts.get(revision.name, ())):
            places[part].append(place)
    found: dict[str, str] = {}
    for held in places.values():
        starts = [0, *(number for number, (a, b) in enumerate(pairwise(held), 1) if b > a + 1)]
        runs = [held[start:end] for start, end in zip(starts, [*starts[1:], len(held)], strict=True)]
        if len(runs) < 2 or len(held) > max(2, len(revisions) / 2):
            continue
        first = revisions[0].step == 0 and held[:2] == [0, 1] and held[-1] != len(revisions) - 1
        owner = runs[0] if first else runs[-1]
        for place in (place for run in runs if run is not owner for place in run):
            found.setdefault(revisions[place].name, revisions[owner[-1]].name)
    return found


def _ends(tensor: memoryview) -> bytes:
    return bytes(tensor[:_PROBE]) + bytes(tensor[-_PROBE:])


def _tensors(folder: Path, weights: Sequence[str], what: Callable[[memoryview], Any]) -> str | None:
    """A digest of `what` each tensor holds, and of the config without the type of its numbers; None if unreadable.

    Names do not count, since tied tensors have one name in safetensors and several in .bin.
    """
    try:
        read = [tensor for file in weights for tensor in _read(folder / file)]
        config = digests.without_writer(read_json(folder / digests.CONFIG))
        held = {f"{kind} {shape} {hashlib.sha256(what(data)).hexdigest()}" for kind, shape, data in read}
    except Exception as error:  # the file is damaged: loading it says how
        log.debug("%s: its tensors cannot be compared (%s)", folder, error)
        return None
    return digest([sorted(held), {key: config[key] for key in config.keys() - {"dtype", "torch_dtype"}}], 64)


def _read(file: Path) -> Iterator[tuple[str, list[int], memoryview]]:
    """(Type, shape, bytes) of each tensor, without copying the file into memory."""
    import mmap

    if file.suffix != ".safetensors":
        yield from _read_pickle(file)
        return
    with file.open("rb") as opened:
        data = memoryview(mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ))
    begin = 8 + int.from_bytes(data[:8], "little")
    if begin > _HEADER:
        raise ValueError("its header is too long")
    for name, facts in parse_json(bytes(data[8:begin]), _HEADER).items():
        if name != "__metadata__":
            start, end = facts["data_offsets"]
            yield facts["dtype"], facts["shape"], data[begin + start : begin + end]


def _read_pickle(file: Path) -> Iterator[tuple[str, list[int], memoryview]]:
    import torch

    kinds = {torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16", torch.float64: "F64"}
    check_archive(file)
    for tensor in torch.load(file, map_location="cpu", mmap=True, weights_only=True).values():
        if tensor.numel() * tensor.element_size() > tensor.untyped_storage().nbytes():
            raise ValueError("a tensor claims more numbers than the file holds")  # which copying it would make
        plain = tensor.contiguous().reshape(-1).view(torch.uint8).numpy()
        yield kinds.get(tensor.dtype, str(tensor.dtype)), list(tensor.shape), memoryview(plain)
