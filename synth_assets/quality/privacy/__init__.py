"""What the rows give away: personal data, secrets, copies of their sources, and leaks.

Importing this package is light; presidio and transformers are loaded when texts are looked at.
"""

from synth_assets.quality.privacy.copies import Copy, CopyIndex, find_copies
from synth_assets.quality.privacy.findings import Finding, SampleText, mask, normal_form, redact, whole_text, written_text
from synth_assets.quality.privacy.leak_test import LeakTest, embedding_distances, measure_leak, text_distances
from synth_assets.quality.privacy.measures import (
    estimate_copied_share,
    estimate_dcr_share,
    estimate_leak_test,
    estimate_leaked_values,
    estimate_personal_data_left,
    estimate_secrets_left,
)
from synth_assets.quality.privacy.names import NAME_KINDS, find_names
from synth_assets.quality.privacy.personal_data import NAMES_NOT_CHECKED, PERSONAL_DATA_KINDS, find_personal_data
from synth_assets.quality.privacy.refusals import (
    allowed_patterns,
    find_hidden,
    find_refusals,
    hide_rejected,
    look_through,
    redact_rows,
)
from synth_assets.quality.privacy.responses import COPIES_SOURCE, LEAKED_VALUE, AskedResponse, ResponseRefusals
from synth_assets.quality.privacy.secrets import SECRET_KINDS, find_secrets
from synth_assets.quality.privacy.sources import Leak, LeakIndex, Source, sources_of

__all__ = [
    "COPIES_SOURCE",
    "LEAKED_VALUE",
    "NAMES_NOT_CHECKED",
    "NAME_KINDS",
    "PERSONAL_DATA_KINDS",
    "SECRET_KINDS",
    "AskedResponse",
    "Copy",
    "CopyIndex",
    "Finding",
    "Leak",
    "LeakIndex",
    "LeakTest",
    "ResponseRefusals",
    "SampleText",
    "Source",
    "allowed_patterns",
    "embedding_distances",
    "estimate_copied_share",
    "estimate_dcr_share",
    "estimate_leak_test",
    "estimate_leaked_values",
    "estimate_personal_data_left",
    "estimate_secrets_left",
    "find_copies",
    "find_hidden",
    "find_names",
    "find_personal_data",
    "find_refusals",
    "find_secrets",
    "hide_rejected",
    "look_through",
    "mask",
    "measure_leak",
    "normal_form",
    "redact",
    "redact_rows",
    "sources_of",
    "text_distances",
    "whole_text",
    "written_text",
]
