"""What people agreed to: manifests of data sets, purposes, objections, and loading that keeps to them."""

from reticent.data.manifests.commitments import Commitment, Kept, Proof, commit, shown
from reticent.data.manifests.croissant import from_croissant, mended, read_manifest, save_manifest, to_croissant
from reticent.data.manifests.describing import describe
from reticent.data.manifests.loading import Loaded, load_with
from reticent.data.manifests.manifest import BASES, UNITS, Basis, File, Manifest, Origin, People, Pinned, content_digest
from reticent.data.manifests.objections import Objection, Objections
from reticent.data.manifests.overview import overview
from reticent.data.manifests.persons import new_key, read_key, save_key
from reticent.data.manifests.proofs import STANDINGS, Parted, PersonProof, standing
from reticent.data.manifests.purposes import PURPOSES, Purpose, allows

__all__ = [
    "BASES",
    "PURPOSES",
    "STANDINGS",
    "UNITS",
    "Basis",
    "Commitment",
    "File",
    "Kept",
    "Loaded",
    "Manifest",
    "Objection",
    "Objections",
    "Origin",
    "Parted",
    "People",
    "PersonProof",
    "Pinned",
    "Proof",
    "Purpose",
    "allows",
    "commit",
    "content_digest",
    "describe",
    "from_croissant",
    "load_with",
    "mended",
    "new_key",
    "overview",
    "read_key",
    "read_manifest",
    "save_key",
    "save_manifest",
    "shown",
    "standing",
    "to_croissant",
]
