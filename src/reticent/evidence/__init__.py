"""Evidence: estimates with intervals, findings with baselines, and hashed records. Plain values, never tensors.

`reticent.evidence.bounds` is imported by its own name: it knows units and relations, and with them comes scipy, for
which whoever only writes a record should not wait.
"""

from reticent.evidence.canonical import canonical_json, digest, parse, sync_folder, write_whole
from reticent.evidence.findings import Estimate, Finding, Status
from reticent.evidence.records import Record, now, software

__all__ = [
    "Estimate",
    "Finding",
    "Record",
    "Status",
    "canonical_json",
    "digest",
    "now",
    "parse",
    "software",
    "sync_folder",
    "write_whole",
]
