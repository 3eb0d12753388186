"""Verdicts as pages that a person reads: Great Expectations' own renderer, without the network.

Great Expectations' site builder puts style sheets, scripts and pictures from five hosts into each page, and its index
is filled by one of those scripts: without network, it stays empty. So its pages of results are rendered here with its own
renderer, what points outside is taken out and a style sheet of a few lines put in, and the index is ours.

Each suite has a page and a small JSON file beside it; the index is made from all JSON files in the folder, so that
stages that are judged in processes of their own share one site. Results that Great Expectations was not asked for
(no rows, a missing column) stand on the index with their own words.
"""

from __future__ import annotations

import html
import json
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from synth_assets.quality.expectations import ExpectationResult

_OUTSIDE = re.compile(
    r"<link\b[^>]*https?://[^>]*>|<script\b[^>]*https?://[^>]*>\s*</script>|<img\b[^>]*https?://[^>]*>", re.IGNORECASE
)
_OUTSIDE_URL = re.compile(r"url\(\s*['\"]?https?:[^)]*\)", re.IGNORECASE)
_STYLE = """<style>
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 75rem; padding: 0 1rem; color: #1d2733 }
table { border-collapse: collapse; width: 100%; margin: .5rem 0 2rem } th, td { text-align: left; vertical-align: top;
border-bottom: 1px solid #d5dbe1; padding: .35rem .6rem } th { background: #f1f4f7 } .ok { color: #17703a }
.bad { color: #b3261e; font-weight: 600 } code { font-size: 13px } .modal, .navbar, footer { display: none }
</style>"""
_HEAD = '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>Data Docs</title>'


def write_data_docs(suite_name: str, results: Sequence[ExpectationResult], folder: Path) -> Path:
    """Write or replace the page of a suite, and the index over all suites of the folder; returns index.html."""
    folder.mkdir(parents=True, exist_ok=True)
    documents = [json.loads(result.document) for result in results if result.document]
    if documents:
        _write(folder / f"{suite_name}.html", _page(suite_name, documents))
    else:
        (folder / f"{suite_name}.html").unlink(missing_ok=True)
    rows = [{key: value for key, value in asdict(result).items() if key != "document"} for result in results]
    _write(folder / f"{suite_name}.json", json.dumps(rows, indent=1, ensure_ascii=False) + "\n")
    sections = [_section(file, folder) for file in sorted(folder.glob("*.json"), key=lambda file: file.stat().st_mtime)]
    title = "<h1>Data Docs of synth_assets</h1><p>Every check of every stage, as of its last run.</p>"
    index = folder / "index.html"
    _write(index, f"{_HEAD}{_STYLE}</head><body>{title}{''.join(sections)}</body></html>\n")
    return index


def _page(suite_name: str, documents: list[dict[str, Any]]) -> str:
    import great_expectations
    from great_expectations.core import ExpectationSuiteValidationResult
    from great_expectations.core.expectation_validation_result import expectationValidationResultSchema
    from great_expectations.render.renderer import ValidationResultsPageRenderer
    from great_expectations.render.view import DefaultJinjaPageView

    results = [expectationValidationResultSchema.load(document) for document in documents]
    num_passed = sum(bool(result.success) for result in results)
    statistics = {
        "evaluated_expectations": len(results), "successful_expectations": num_passed,
        "unsuccessful_expectations": len(results) - num_passed, "success_percent": 100 * num_passed / len(results),
    }  # fmt: skip
    # the page asks for a time; a fixed one keeps the same verdicts the same bytes
    run_id = {"run_name": suite_name, "run_time": "1970-01-01T00:00:00+00:00"}
    meta = {
        "great_expectations_version": great_expectations.__version__, "run_id": run_id,
        "batch_spec": {}, "active_batch_definition": {},
    }  # fmt: skip
    whole = ExpectationSuiteValidationResult(
        success=num_passed == len(results), results=results, suite_name=suite_name, statistics=statistics, meta=meta
    )
    page: str = DefaultJinjaPageView().render(ValidationResultsPageRenderer().render(whole))
    page = _OUTSIDE_URL.sub("none", _OUTSIDE.sub("", page))
    return page.replace("</head>", f"{_STYLE}</head>", 1)


def _section(file: Path, folder: Path) -> str:
    rows = json.loads(file.read_text(encoding="utf-8"))
    page = f"{file.stem}.html"
    name = html.escape(file.stem)
    link = f'<a href="{page}">{name}</a>' if (folder / page).is_file() else name
    num_passed = sum(row["is_passed"] for row in rows)
    cells = "".join(_row(row) for row in rows)
    head = "".join(f"<th>{title}</th>" for title in ("", "check", "observed", "expected", "why"))
    return f"<h2>{link}: {num_passed} of {len(rows)} passed</h2><table><tr>{head}</tr>{cells}</table>"


def _row(row: dict[str, Any]) -> str:
    passed = '<span class="ok">passed</span>'
    failed = f'<span class="bad">{"failed, blocking" if row["is_blocking"] else "failed"}</span>'
    observed = row["error"] or row["observed"]
    texts: Iterable[str] = (f"<code>{html.escape(row['name'])}</code>",)
    texts = (*texts, *(html.escape(text) for text in (observed, row["expected"], row["reason"])))
    return f"<tr><td>{passed if row['is_passed'] else failed}</td>{''.join(f'<td>{text}</td>' for text in texts)}</tr>"


def _write(file: Path, text: str) -> None:
    unfinished = file.with_name(f".{file.name}.{os.getpid()}")
    unfinished.write_text(text, encoding="utf-8")
    unfinished.replace(file)
