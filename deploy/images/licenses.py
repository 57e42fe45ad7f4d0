"""Which licenses the packages of an image may have, and which ones need a look."""

import re
from collections.abc import Iterator
from typing import Any, Final

# Their terms are met by keeping the license texts, which come with the packages.
_PERMISSIVE: Final = re.compile(
    r"(?!.*(GPL|MPL|EPL|CDDL|EUPL|SSPL|Proprietary|Commercial))(License :: OSI Approved :: |the )?"
    r"(MIT|MIT-0|MIT-CMU|BSD|0BSD|Apache|ISC|HPND|Zlib|PSF|Python|Unlicense|CC0|BSL-1\.0|Boost)"
    r"\b.*",
    re.IGNORECASE,
)
# Packages whose license is none of these, with the reason why an image may hold them.
KNOWN: Final = {
    "certifi": "MPL-2.0: a list of authorities, unchanged",
    "emotion-streams": "this project",
    "psycopg": "LGPL-3.0: unchanged, and replaceable in site-packages; named in deploy/NOTICE",
    "psycopg-binary": "as psycopg",
}


def find_surprises(document: dict[str, Any]) -> Iterator[str]:
    """Yield the Python packages of a CycloneDX document whose license is unknown or not permissive.

    Libraries inside wheels have notices of their own: deploy/NOTICE.
    """
    for component in document["components"]:
        if not component.get("purl", "").startswith("pkg:pypi/") or component["name"] in KNOWN:
            continue
        found = [_text(entry) for entry in component.get("licenses", ())]
        if not found:
            yield f"{component['name']} {component['version']}: no license"
        for text in found:
            if not is_permissive(text):
                yield f"{component['name']} {component['version']}: {text}"


def is_permissive(expression: str) -> bool:
    """Whether some alternative of an SPDX expression, or of a plain name, is permissive alone."""
    for alternative in re.split(r"\s+OR\s+", expression.strip("()")):
        parts = re.split(r"\s+AND\s+", alternative)
        if all(_PERMISSIVE.fullmatch(part.strip("() ")) for part in parts):
            return True
    return False


def _text(entry: dict[str, Any]) -> str:
    if "expression" in entry:
        return str(entry["expression"])
    license_ = entry["license"]
    return str(license_.get("id") or license_.get("name"))
