"""What the Hub has of models: lines for a person, entries for a file, a table for those who published them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tl_search.checkpoints.audit import Finding, audit
from tl_search.checkpoints.hub import HubCheckpoints
from tl_search.checkpoints.listing import Listing, listed
from tl_search.checkpoints.offered import Offer, picked
from tl_search.plane.sampling import Sampling

SHOWN = 12  # names of one kind that a line lists


@dataclass(frozen=True)
class Asked:
    """What the Hub has of a model.

    Args:
        lacking: What the sampling picks of the revisions that the registry knows, and the Hub does not have.
        findings: Of an audit; None without one.
    """

    listing: Listing
    lacking: tuple[str, ...]
    findings: tuple[Finding, ...] | None = None

    @property
    def complete(self) -> bool:
        """Whether nothing is lacking and the audit has found nothing."""
        return not (self.lacking or self.findings)


def ask(source: HubCheckpoints, known: Offer, sampling: Sampling, audited: bool, cache: Path | None) -> Asked:
    """What the Hub has of a model.

    Args:
        known: What the registry knows of it.

    Raises:
        ValueError: there is no such model, or access to it is denied.
        UnreachableError: the Hub did not answer.
    """
    listing = listed(source.access, known.model)
    wanted = picked(known, sampling)
    lacking = tuple(revision.name for revision in wanted if revision.name not in listing.refs)
    return Asked(listing, lacking, audit(source.access, listing, cache) if audited else None)


def lines(asked: Asked) -> list[str]:
    """For a person."""
    listing, told = asked.listing, []
    where = "on the Hub" if listing.cache is None else f"offline, with weights in the cache {listing.cache}"
    told.append(f"  {where}: {len(listing.refs)} checkpoints, {len(listing.offer.revisions)} of them on one time axis")
    owner = "the Hub" if listing.cache is None else "the cache"
    for what, names in (
        (f"{owner} lacks, though the sampling asks for them", asked.lacking),
        (f"{owner} lacks, though the family has them", listing.lacking),
        ("other branches and tags", listing.others),
    ):
        if names:
            more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
            told.append(f"  {what}: {', '.join(names[:SHOWN])}{more}")
    if asked.findings is not None:
        told.append(f"  audit: {len(asked.findings) or 'no'} finding{'' if len(asked.findings) == 1 else 's'}")
        told += [f"    {finding.revision}: {finding.what}" for finding in asked.findings]
    return told


def entry(asked: Asked) -> dict[str, Any]:
    """For a JSON file."""
    listing = asked.listing
    found: dict[str, Any] = {
        "available": {name: {"repository": ref.repository, "commit": ref.commit} for name, ref in listing.refs.items()},
        "sampled_but_lacking": list(asked.lacking),
        "known_but_lacking": list(listing.lacking),
        "other_names": list(listing.others),
        "offline_cache": listing.cache,
    }
    if asked.findings is not None:
        found["audit"] = [
            {"kind": finding.kind.name, "revision": finding.revision, "what": finding.what, "other": finding.other,
             "files": list(finding.files)} for finding in asked.findings
        ]  # fmt: skip
    return found


def report(asked: Mapping[str, Asked]) -> str:
    """A page in Markdown for those who published the models: what is wrong where, with the commits."""
    parts = ["# Checkpoints on the Hub: an audit of file hashes", ""]
    parts.append("The hashes are those that the Hub lists; no weights were downloaded.")
    for model, found in asked.items():
        parts += ["", f"## {model}", ""]
        if not found.findings:
            parts.append(f"Nothing was found in {len(found.listing.refs)} checkpoints.")
            continue
        parts += ["| checkpoint | commit | what is wrong | files |", "|---|---|---|---|"]
        parts += [f"| {_row(finding, found.listing)} |" for finding in found.findings]
    return "\n".join(parts) + "\n"


def _row(finding: Finding, listing: Listing) -> str:
    cells = (finding.revision, listing.refs[finding.revision].commit[:12], finding.what, _files(finding.files))
    return " | ".join(cell.replace("|", "\\|") for cell in cells)


def _files(names: Sequence[str]) -> str:
    return ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
