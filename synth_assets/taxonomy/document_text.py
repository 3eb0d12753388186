"""The bytes of a document -> its text. Markdown and plain text in UTF-8, and PDF with a text layer."""

from __future__ import annotations

import io
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pypdf import PdfReader

MAX_DOCUMENT_BYTES = 20_000_000
MAX_PDF_PAGES, MAX_PDF_LETTERS, MAX_PDF_SECONDS = 2_000, 5_000_000, 60


class UnreadableDocument(Exception):
    """`what` is wrong with the document, and the `remedy`."""

    def __init__(self, what: str, remedy: str) -> None:
        super().__init__(what)
        self.what, self.remedy = what, remedy


def document_text(name: str, content: bytes) -> str:
    """Judged by the ending of its name. Raises UnreadableDocument: no UTF-8, no text in a PDF."""
    if name.lower().endswith(".pdf"):
        return _pdf_text(content)
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        remedy = "Markdown and text in UTF-8 and PDF are read; convert it"
        raise UnreadableDocument(f"a document is not UTF-8 (byte {error.start})", remedy) from error


def check_size(num_bytes: int) -> None:
    """Before the bytes are read. Raises UnreadableDocument."""
    if not 0 < num_bytes <= MAX_DOCUMENT_BYTES:
        remedy = f"a document has 1 to {MAX_DOCUMENT_BYTES} bytes; split it or leave it out"
        raise UnreadableDocument(f"a document has {num_bytes} bytes", remedy)


def _pdf_text(content: bytes) -> str:
    """Page after page, an empty line between them. Pictures of text have none: that is for an OCR program."""
    from pypdf import PdfReader

    try:
        reader = PdfReader(io.BytesIO(content))
        if reader.is_encrypted:
            raise UnreadableDocument("a PDF is encrypted", "save it without a password")
        text = "\n\n".join(_pages(reader))
    except UnreadableDocument:
        raise
    except Exception as error:  # whatever a stranger's file makes the parser raise
        raise UnreadableDocument(f"a PDF cannot be read: {error}", "save it anew, or convert it to text") from error
    if not text.strip():
        raise UnreadableDocument("a PDF holds no text", "it may hold pictures of text only: run OCR over it first")
    return text


def _pages(reader: PdfReader) -> Iterator[str]:
    """Pages may share what they show, so that a small file can be a very long text."""
    num_letters, deadline = 0, time.monotonic() + MAX_PDF_SECONDS
    for number, page in enumerate(reader.pages):
        text = page.extract_text()
        num_letters += len(text)
        if number >= MAX_PDF_PAGES or num_letters > MAX_PDF_LETTERS or time.monotonic() > deadline:
            limits = f"{MAX_PDF_PAGES} pages, {MAX_PDF_LETTERS} letters, {MAX_PDF_SECONDS} s"
            raise UnreadableDocument(f"a PDF is too long (page {number + 1})", f"split it: {limits} are read")
        yield text
