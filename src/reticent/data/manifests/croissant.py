"""A manifest as a Croissant 1.1 document, which catalogues and loaders of data sets read.

Promise: what is written is JSON-LD that conforms to Croissant 1.1 (checked in the tests with mlcroissant): files with
their hashes, columns as fields, licence, and in `usageInfo` an ODRL offer with purposes, the last day and recipients.
Fields are given for files in which other readers find the columns under the same names (`File.plain`), so that they can
be loaded from the document; the columns of others stand in the manifest itself, which is under `reticent:manifest`.
Everything else is derived from it. A document whose derived fields say something else than its manifest is refused:
somebody changed one and not the other. Fields that are neither are kept.

Sources: Croissant 1.1 (MLCommons, 2026, sections Data Use Conditions and Appendix 1); ODRL 2.2 (W3C, 2018).

Example:
    >>> from reticent.data.manifests import Manifest, from_croissant, to_croissant
    >>> document = to_croissant(Manifest("visits", allowed=("research",)))
    >>> document["conformsTo"], from_croissant(document).allowed
    ('http://mlcommons.org/croissant/1.1', ('research',))
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from reticent.data.manifests.manifest import BASES, File, Manifest
from reticent.data.manifests.purposes import DPV, PURPOSES
from reticent.errors import DataError, UsageError
from reticent.evidence import parse, write_whole

__all__ = ["OWN", "from_croissant", "mended", "read_manifest", "save_manifest", "to_croissant"]

OWN: Final = "reticent:manifest"
CONFORMS: Final = "http://mlcommons.org/croissant/1.1"
_CROISSANT = (
    "annotation arrayShape citeAs column containedIn equivalentProperty excludes extract field fileProperty fileObject "
    "fileSet format includes isArray isLiveDataset jsonPath key md5 parentField path readLines recordSet references "
    "regex repeated replace samplingRate sdVersion separator source subField transform unArchive value"
)
_CONTEXT: Final[dict[str, Any]] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "sc": "https://schema.org/",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "dct": "http://purl.org/dc/terms/",
    "dpv": DPV,
    "duo": "http://purl.obolibrary.org/obo/DUO_",
    "odrl": "http://www.w3.org/ns/odrl/2/",
    "reticent": "urn:reticent:",
    "conformsTo": "dct:conformsTo",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "description": {"@container": "@language"},
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "name": {"@container": "@language"},
    OWN: {"@id": OWN, "@type": "@json"},
    **{name: f"cr:{name}" for name in _CROISSANT.split()},
}
_TYPES: Final = {"number": "sc:Float", "whole number": "sc:Integer", "date": "sc:Date", "yes or no": "sc:Boolean"}
_FORMATS: Final = {
    ".csv": "text/csv",
    ".parquet": "application/x-parquet",
    ".tsv": "text/tab-separated-values",
    ".jsonl": "application/jsonlines",
    ".json": "application/json",
    ".txt": "text/plain",
}
_DAY: Final = "http://www.w3.org/2001/XMLSchema#date"


def to_croissant(manifest: Manifest) -> dict[str, Any]:
    """The document of a manifest."""
    own = {name: value for name, value in manifest.as_dict().items() if name != "outside"}
    return {**manifest.outside, **_derived(manifest), OWN: own}


def from_croissant(document: object) -> Manifest:
    """The manifest of a document.

    Raises:
        DataError: no manifest of this house in it, or derived fields that say something else.
    """
    manifest = mended(document)
    assert isinstance(document, Mapping)  # noqa: S101 (mended has looked)
    for name, value in _derived(manifest).items():
        if document.get(name) != value:
            raise DataError(
                f"Expected {name!r} to say what {OWN!r} says, but one of them was changed without the other.",
                "Look which is right, change the manifest, and run `reticent manifest check --mend`.",
            )
    return manifest


def mended(document: object) -> Manifest:
    """The manifest of a document whatever its derived fields say; written again, they are right.

    Raises:
        DataError: no manifest of this house in it.
    """
    if not isinstance(document, Mapping) or not isinstance(document.get(OWN), Mapping):
        raise DataError(
            f"Expected a document with {OWN!r}, got another.", "Make one with `reticent manifest init FILE`."
        )
    manifest = Manifest.from_dict(document[OWN])
    made = {*_derived(manifest), *_MAYBE, OWN}
    outside = {name: value for name, value in document.items() if name not in made}
    return Manifest.from_dict({**manifest.as_dict(), "outside": outside})


def read_manifest(path: str | Path) -> Manifest:
    """The manifest in a file.

    Raises:
        UsageError: no such file, or no JSON in it.
        DataError: no manifest of this house in it, or one that contradicts itself.
    """
    return from_croissant(read_document(path))


def read_document(path: str | Path) -> Any:
    """The JSON in a file.

    Raises:
        UsageError: no such file, or no JSON in it.
    """
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise UsageError(
            f"Expected a manifest at {str(path)!r}, but: {error.strerror or error}.", "Name the file."
        ) from error
    return parse(content)


def save_manifest(manifest: Manifest, path: str | Path) -> Path:
    """Write it as Croissant, whole or not at all."""
    return write_whole(path, json.dumps(to_croissant(manifest), indent=2, ensure_ascii=False).encode() + b"\n")


_MAYBE: Final = ("url", "license", "datePublished", "creator", "citeAs", "rai:personalSensitiveInformation")


def _derived(manifest: Manifest) -> dict[str, Any]:
    maybe = {
        "url": manifest.url,
        "license": manifest.licence,
        "datePublished": manifest.published,
        "creator": {"@type": "sc:Organization", "name": manifest.creator} if manifest.creator else None,
        "citeAs": f"{manifest.creator}: {manifest.name}, {manifest.version}" if manifest.creator else None,
        "rai:personalSensitiveInformation": _about_people(manifest),
    }
    return {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": CONFORMS,
        "name": manifest.name,
        "description": manifest.description or manifest.name,
        "version": manifest.version,
        **{name: value for name, value in maybe.items() if value is not None},
        "distribution": [_file(place, one) for place, one in enumerate(manifest.files)],
        "recordSet": [_rows(place, one) for place, one in enumerate(manifest.files) if one.columns and one.plain],
        "usageInfo": _offer(manifest),
    }


def _about_people(manifest: Manifest) -> list[str] | None:
    people, basis = manifest.people, manifest.basis
    if people is None:
        return None
    if people.unit == "nobody":
        return ["No row is about a person, as declared."]
    count = "" if people.count is None else f", {people.count} of them"
    legal = "" if basis is None else f" Legal basis, as declared: {basis.kind}."
    return [f"Rows belong to a {people.unit} each{count}.{legal}"]


def _file(place: int, one: File) -> dict[str, Any]:
    return {
        "@type": "cr:FileObject",
        "@id": f"file-{place}",
        "name": one.name,
        "contentUrl": one.name,
        "contentSize": f"{one.bytes} B",
        "encodingFormat": _FORMATS.get(_ending(one.name), "application/octet-stream"),
        "sha256": one.sha256,
    }


def _ending(name: str) -> str:
    """The ending of what is in the file: readers unpack gzip by themselves."""
    return Path(name.lower().removesuffix(".gz")).suffix


def _rows(place: int, one: File) -> dict[str, Any]:
    fields = [
        {
            "@type": "cr:Field",
            "@id": f"rows-{place}/{number}",
            "name": name,
            "dataType": _TYPES.get(kind, "sc:Text"),
            "source": {"fileObject": {"@id": f"file-{place}"}, "extract": {"column": name}},
        }
        for number, (name, kind) in enumerate(one.columns)
    ]
    return {"@type": "cr:RecordSet", "@id": f"rows-{place}", "name": f"rows of {one.name}", "field": fields}


def _offer(manifest: Manifest) -> dict[str, Any]:
    """Purposes, the last day and recipients as an ODRL offer."""
    constraints = [_among("odrl:purpose", [{"@id": _identifier(one)} for one in manifest.allowed])]
    if manifest.until is not None:
        constraints.append(
            {
                "@type": "odrl:Constraint",
                "odrl:leftOperand": {"@id": "odrl:dateTime"},
                "odrl:operator": {"@id": "odrl:lteq"},
                "odrl:rightOperand": {"@value": manifest.until, "@type": _DAY},
            }
        )
    if manifest.recipients:
        constraints.append(_among("odrl:recipient", list(manifest.recipients)))
    offer: dict[str, Any] = {
        "@type": ["CreativeWork", "odrl:Offer"],
        "name": "conditions of use",
        "text": manifest.use or "see the constraints",
    }
    if manifest.allowed:
        offer["odrl:permission"] = [_rule("odrl:Permission", constraints)]
    if manifest.prohibited:
        against = _among("odrl:purpose", [{"@id": _identifier(one)} for one in manifest.prohibited])
        offer["odrl:prohibition"] = [_rule("odrl:Prohibition", [against])]
    if manifest.basis is not None and BASES[manifest.basis.kind]:
        offer["dpv:hasLegalBasis"] = {"@id": f"{DPV}{BASES[manifest.basis.kind]}"}
    return offer


def _rule(kind: str, constraints: list[dict[str, Any]]) -> dict[str, Any]:
    return {"@type": kind, "odrl:action": {"@id": "odrl:use"}, "odrl:constraint": constraints}


def _among(operand: str, values: list[Any]) -> dict[str, Any]:
    return {
        "@type": "odrl:Constraint",
        "odrl:leftOperand": {"@id": operand},
        "odrl:operator": {"@id": "odrl:isAnyOf"},
        "odrl:rightOperand": values,
    }


def _identifier(purpose: str) -> str:
    return PURPOSES[purpose].identifier
