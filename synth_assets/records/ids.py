"""Ids are content hashes: the same content has the same id on every machine and in every run.

A changed seed, prompt or model shows as a changed id downstream.
"""

import hashlib
import json


def content_id(*parts: object) -> str:
    """16 hex digits of the SHA-256 over the parts as JSON. By custom the first part names the kind.

    Raises TypeError for a part that JSON cannot hold, and ValueError for NaN and infinities.
    """
    text = json.dumps(parts, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]
