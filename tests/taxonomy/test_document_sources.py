"""Documents from folders, git repositories and PDF: only what the recipe allows, and nothing outside."""

import io
import subprocess
from pathlib import Path

import pytest
from pypdf import PdfWriter
from test_documents import leaf

from synth_assets.errors import DocumentError
from synth_assets.records import DocumentChunk, LeafNode, SeedExample
from synth_assets.taxonomy import DocumentRules, count_words, read_document_chunks, split_document
from synth_assets.taxonomy import document_text as module
from synth_assets.taxonomy.document_sources import open_source
from synth_assets.taxonomy.document_text import document_text

MANUAL = "# Kettle\n\nIt boils water.\n"


def git(folder: Path, *arguments: str) -> str:
    identity = ("-c", "user.name=me", "-c", "user.email=me@example.org", "-c", "init.defaultBranch=main")
    command = ["git", *identity, *arguments]
    return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Two commits: the second says something else. A hook and a link would do harm if they were followed."""
    folder = tmp_path / "origin/manuals"
    (folder / "docs/deep").mkdir(parents=True)
    git(folder, "init", "-q")
    (folder / "docs/kettle.md").write_text(MANUAL)
    (folder / "docs/deep/toaster.md").write_text("# Toaster\n\nIt toasts.\n")
    (folder / "secret.md").symlink_to("/etc/passwd")
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "first")
    git(folder, "tag", "v1")
    (folder / "docs/kettle.md").write_text(MANUAL.replace("boils", "heats"))
    git(folder, "commit", "-q", "-am", "second")
    return folder


def pinned(repo: Path | str, commit: str, *patterns: str) -> LeafNode:
    whole = leaf(*patterns, repo=str(repo) if str(repo).startswith("https") else f"file:{repo}")
    return LeafNode(**(whole.__dict__ | {"document_commit": commit}))


def read(repository: Path, commit: str, *patterns: str) -> list[DocumentChunk]:
    rules = DocumentRules(repository / "nothing", 50, 0, (f"file:{repository.parent}",), repository.parents[1] / "cache")
    return read_document_chunks(pinned(repository, commit, *patterns), rules)


def test_a_repository_is_read_at_its_commit_and_fetched_once(repository: Path) -> None:
    first, second = git(repository, "rev-parse", "HEAD~1"), git(repository, "rev-parse", "HEAD")
    (chunk,) = read(repository, first, "docs/*.md")
    assert (chunk.text, chunk.source) == ("It boils water.", f"docs/kettle.md@{first[:12]}")
    assert [chunk.text for chunk in read(repository, second, "docs/**/*.md")] == ["It toasts.", "It heats water."]
    repository.rename(repository.with_name("gone"))
    repository.mkdir()
    (repository / ".git").mkdir()  # the name still says a repository, but there is none: the cache is enough
    assert [chunk.text for chunk in read(repository, first, "docs/*.md")] == ["It boils water."]
    (store, *_) = (repository.parents[1] / "cache").iterdir()
    assert not list(store.glob("**/*.md")), "nothing is ever checked out"


@pytest.mark.parametrize(
    ("commit", "pattern", "message"),
    [
        ("HEAD", "*.md", "is a link"),
        ("HEAD", "none/*.md", "no document matches the pattern 'none/.*manuals at"),
        ("HEAD", "docs?kettle.md", "no document matches"),
        ("HEAD", "../x.md", "leads out"),
        ("0" * 40, "docs/*.md", "cannot be read: fatal: "),
        ("v1", "docs/*.md", "no full commit hash"),
        ("a\0b", "docs/*.md", "no full commit hash"),
        ("--upload-pack=touch harm", "docs/*.md", "no full commit hash"),
    ],
)
def test_what_cannot_be_had_of_a_repository_is_a_fault(repository: Path, commit: str, pattern: str, message: str) -> None:
    with pytest.raises(DocumentError, match=message):
        read(repository, git(repository, "rev-parse", commit) if commit == "HEAD" else commit, pattern)
    assert not list(repository.parents[1].rglob("harm"))


def test_only_what_the_recipe_allows_is_opened(tmp_path: Path) -> None:
    def is_open(repo: str, *allowed: str) -> bool:
        return open_source(repo, "main", allowed, tmp_path) is not None

    assert is_open("https://github.com/me/docs.git", "https://github.com/me/")
    assert is_open("https://github.com/me/docs.git", "https://github.com/me/docs")
    assert is_open(f"file://{tmp_path}/a", f"file:{tmp_path}")
    for repo, allowed in (
        ("https://github.com/me/docs", ()),
        ("https://github.com.example.org/me/docs", ("https://github.com",)),
        ("https://github.com/me/../you/docs", ("https://github.com/me/",)),
        (f"file:{tmp_path}/../etc", (f"file:{tmp_path}",)),
        ("file:etc", (f"file:{tmp_path}",)),
        (str(tmp_path), (f"file:{tmp_path}",)),
        ("ext::sh -c touch% harm", ("https://github.com/",)),
        ("https://github.com/me/%2e%2e/you/docs", ("https://github.com/me/",)),
        ("https://github.com/me/docs?x", ("https://github.com/me/",)),
        ("https://github.com/me/docs#x", ("https://github.com/me/",)),
        ("file:/\0", (f"file:{tmp_path}",)),
    ):
        assert not is_open(repo, *allowed), repo


def test_a_protocol_that_runs_programs_is_refused_by_git_itself(tmp_path: Path) -> None:
    rules = DocumentRules(tmp_path, 50, 0, ("ext::touch/",), tmp_path / "cache")
    odd = LeafNode(**(leaf("*.md", repo="ext::touch/harm").__dict__ | {"document_commit": "0" * 40}))
    with pytest.raises(DocumentError, match="not allowed"):
        read_document_chunks(odd, rules)
    assert not list(tmp_path.rglob("harm"))


def test_a_hook_s_environment_changes_nothing(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_DIR", str(repository / ".git"))
    monkeypatch.setenv("GIT_ALLOW_PROTOCOL", "ext")
    head = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=True).stdout.strip()
    assert [chunk.text for chunk in read(repository, head, "docs/*.md")] == ["It heats water."]
    assert not (repository / ".git/shallow").exists()


@pytest.mark.parametrize(
    ("repo", "pattern"),
    [("local", "a" * 300 + ".md"), ("local", "a\0b"), ("file:{}/" + "a" * 5000, "*.md"), ("file:{}/\0", "*")],
)
def test_names_that_no_file_can_have_are_faults_of_their_leaf(tmp_path: Path, repo: str, pattern: str) -> None:
    rules = DocumentRules(tmp_path, 50, 0, (f"file:{tmp_path}",), tmp_path / "cache")
    odd = LeafNode(**(leaf(pattern, repo=repo.format(tmp_path)).__dict__ | {"document_commit": "-"}))
    seeds = [SeedExample("s", "id", "knowledge/x", 0, "Context.", "q", "a")]
    if "\0" in repo:  # not a name that is allowed: the seeds' contexts, as for any other
        assert [chunk.text for chunk in read_document_chunks(odd, rules, seeds)] == ["Context."]
    else:
        with pytest.raises(DocumentError):
            read_document_chunks(odd, rules, seeds)


def test_a_plain_folder_outside_the_documents_can_be_allowed(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/a@b.md").write_text(MANUAL)
    rules = DocumentRules(tmp_path / "documents", 50, 0, (f"file:{tmp_path}/mine",), tmp_path / "cache")
    (chunk,) = read_document_chunks(pinned(tmp_path / "mine", "-", "*.md"), rules)
    assert (chunk.source, chunk.heading) == ("a@b.md", "Kettle")


def test_a_pdf_is_read_page_by_page(tmp_path: Path) -> None:
    (tmp_path / "a.pdf").write_bytes(_pdf("The kettle boils water.", "The toaster toasts bread."))
    chunks = read_document_chunks(leaf("*.pdf"), DocumentRules(tmp_path, 6))
    assert [chunk.text for chunk in chunks] == ["The kettle boils water.", "The toaster toasts bread."]
    assert {chunk.source for chunk in chunks} == {"a.pdf"}


def test_a_small_pdf_that_wants_to_be_a_long_text_is_a_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_PDF_LETTERS", 1000)
    (tmp_path / "a.pdf").write_bytes(_pdf(*["The kettle boils water." * 10] * 20))
    with pytest.raises(DocumentError, match=r"too long \(page 5\)"):
        read_document_chunks(leaf("*.pdf"), DocumentRules(tmp_path, 50))
    (tmp_path / "a.pdf").write_bytes(_pdf("Text").replace(b"/Length", b"/Filter /Foo /Length"))
    with pytest.raises(DocumentError, match="PDF"):
        read_document_chunks(leaf("*.pdf"), DocumentRules(tmp_path, 50))


@pytest.mark.parametrize(
    ("kind", "message"), [("blank", "no text"), ("encrypted", "encrypted"), ("broken", "cannot be read")]
)
def test_a_pdf_without_text_is_a_fault(tmp_path: Path, kind: str, message: str) -> None:
    writer, buffer = PdfWriter(), io.BytesIO()
    writer.add_blank_page(200, 200)
    if kind == "encrypted":
        writer.encrypt("secret", algorithm="RC4-128")
    writer.write(buffer)
    content = b"%PDF-1.7 and then nothing" if kind == "broken" else buffer.getvalue()
    (tmp_path / "a.pdf").write_bytes(content)
    with pytest.raises(DocumentError, match=message):
        read_document_chunks(leaf("*.pdf"), DocumentRules(tmp_path, 50))


def test_a_document_that_gives_no_chunk_is_a_fault(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("# Only\n\n## Headings\n")
    with pytest.raises(DocumentError, match="no text beside its headings"):
        read_document_chunks(leaf("*.md"), DocumentRules(tmp_path, 50))
    assert document_text("a.md", b"x") == "x"


def test_chunks_overlap_by_whole_sentences_within_their_section() -> None:
    text = "# A\nOne two. Three four. Five six. Seven eight.\n# B\nNine ten. Eleven twelve."
    spans = split_document(text, 9, 3)
    pieces = [text[start:end] for _, start, end in spans]
    assert pieces == ["One two. Three four.", "Three four. Five six. Seven eight.", "Nine ten. Eleven twelve."]
    assert all(count_words(piece) <= 9 for piece in pieces)
    assert split_document(text, 9) == split_document(text, 9, 0)


def _pdf(*pages: str) -> bytes:
    """A PDF by hand: catalogue, pages, a font, and for each page its text."""
    kids = " ".join(f"{4 + 2 * number} 0 R" for number in range(len(pages)))
    objects = [
        "<< /Type /Catalog /Pages 2 0 R >>", f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]  # fmt: skip
    for number, text in enumerate(pages):
        drawn = f"BT /F1 12 Tf 20 100 Td ({text}) Tj ET"
        about = "/MediaBox [0 0 300 200] /Resources << /Font << /F1 3 0 R >> >>"
        objects.append(f"<< /Type /Page /Parent 2 0 R {about} /Contents {5 + 2 * number} 0 R >>")
        objects.append(f"<< /Length {len(drawn)} >>\nstream\n{drawn}\nendstream")
    content, places = "%PDF-1.4\n", []
    for number, body in enumerate(objects, start=1):
        places.append(len(content))
        content += f"{number} 0 obj\n{body}\nendobj\n"
    table = "".join(f"{place:010} 00000 n \n" for place in places)
    end = f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}trailer << /Size {len(objects) + 1} /Root 1 0 R >>\n"
    return f"{content}{end}startxref\n{len(content)}\n%%EOF".encode()
