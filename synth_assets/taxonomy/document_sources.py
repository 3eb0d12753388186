"""Where the documents of knowledge leaves come from: a folder, or a git repository at one commit.

Taxonomies come from strangers. A pattern cannot leave its folder, nor can a link inside it; a repository is fetched only
if the recipe allows it by name, and is never checked out: its files are read from git's own store, so that neither links
nor hooks nor filters of it are ever followed or run. It is fetched once, one commit deep, and kept.
"""

from __future__ import annotations

import fnmatch
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Protocol

from synth_assets.records import content_id
from synth_assets.taxonomy.document_text import UnreadableDocument, check_size

FETCH_TIMEOUT_S = 600
_FULL_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_SAFE = (
    "core.hooksPath=/dev/null", "core.askPass=true", "core.sshCommand=ssh -oBatchMode=yes", "protocol.allow=never",
    "protocol.https.allow=always", "protocol.ssh.allow=always", "protocol.file.allow=always",
    "http.followRedirects=false",
)  # fmt: skip


class DocumentSource(Protocol):
    """Files by name, with slashes, relative to the source."""

    def matches(self, pattern: str) -> list[str]:
        """The names that the glob pattern matches, sorted. Raises UnreadableDocument for what leads out."""
        ...

    def read(self, name: str) -> bytes: ...

    def label(self, name: str) -> str:
        """What a chunk names as its source."""
        ...


@dataclass(frozen=True)
class FolderSource:
    """A folder on this machine."""

    folder: Path

    def __str__(self) -> str:
        return str(self.folder)

    def matches(self, pattern: str) -> list[str]:
        parts = _relative(pattern)
        try:
            found = sorted(path for path in self.folder.glob(str(parts)) if path.is_file())
        except (ValueError, IndexError) as error:
            raise UnreadableDocument("a pattern is no glob", "write it like manuals/*.md") from error
        inside = self.folder.resolve()
        for path in found:
            if not path.resolve().is_relative_to(inside):
                raise UnreadableDocument("a link leads out of the documents folder", "copy the document")
        return [path.relative_to(self.folder).as_posix() for path in found]

    def read(self, name: str) -> bytes:
        try:
            check_size((self.folder / name).stat().st_size)
            return (self.folder / name).read_bytes()
        except OSError as error:
            what = f"a document cannot be read: {error.strerror or error}"
            raise UnreadableDocument(what, "mend its permissions") from error

    def label(self, name: str) -> str:
        return name


@dataclass(frozen=True)
class GitSource:
    """A repository at one commit, fetched into `cache` if it is not there."""

    repo: str
    commit: str
    cache: Path
    _failures: list[UnreadableDocument] = field(default_factory=list, compare=False, repr=False)

    def __str__(self) -> str:
        return f"{self.repo} at {self.commit[:12]}"

    def matches(self, pattern: str) -> list[str]:
        parts = _relative(pattern).parts
        found = sorted(name for name in self._files if _is_matched(name.split("/"), parts))
        if any(self._files[name][0] == "120000" for name in found):
            raise UnreadableDocument("a document is a link", "name the file that it leads to")
        return found

    def read(self, name: str) -> bytes:
        _, blob, size = self._files[name]
        check_size(size)
        return _git(self._store, "cat-file", "blob", blob)

    def label(self, name: str) -> str:
        return f"{name}@{self.commit[:12]}"

    @cached_property
    def _files(self) -> dict[str, tuple[str, str, int]]:
        """name -> (mode, blob, bytes) of everything that is a file or a link."""
        files = {}
        for entry in _git(self._store, "ls-tree", "-r", "-z", "--long", self.commit).decode("utf-8", "replace").split("\0"):
            about, _, path = entry.partition("\t")
            if path and about.split()[1] == "blob":
                mode, _, blob, size = about.split()
                files[path] = (mode, blob, int(size))
        return files

    @cached_property
    def _store(self) -> Path:
        """The bare repository. A fetch that failed has failed for all leaves that name it."""
        if self._failures:
            raise self._failures[0]
        target = self.cache / content_id("repository", self.repo, self.commit)
        try:
            if not target.is_dir():
                self._fetch_into(target)
        except OSError as error:
            raise UnreadableDocument(f"a repository cannot be kept: {error}", "make the warehouse writable") from error
        except UnreadableDocument as error:
            self._failures.append(error)
            raise
        return target

    def _fetch_into(self, target: Path) -> None:
        """Beside its place, and then into it: whole or not at all, whoever else fetches it at the same time."""
        if not _FULL_COMMIT.fullmatch(self.commit):
            remedy = "name the full commit hash, 40 hex digits: a branch or a tag may mean something else tomorrow"
            raise UnreadableDocument(f"{self.commit!r} is no full commit hash", remedy)
        self.cache.mkdir(parents=True, exist_ok=True)
        fetched = Path(tempfile.mkdtemp(dir=self.cache, prefix="fetching-"))
        try:
            self._fetch(fetched)
            os.rename(fetched, target)
        except OSError:
            if not target.is_dir():  # else another process was faster
                raise
        finally:
            shutil.rmtree(fetched, ignore_errors=True)

    def _fetch(self, store: Path) -> None:
        _git(store, "init", "-q", "--bare", ".")
        _git(store, "fetch", "-q", "--depth", "1", "--no-tags", "--no-recurse-submodules", "--", self.repo, self.commit)
        found = _git(store, "rev-parse", "FETCH_HEAD^{commit}").decode().strip()
        if found != self.commit:
            raise UnreadableDocument(f"the repository gave commit {found}", "name a commit that it has")


def open_source(repo: str, commit: str, allowed: Sequence[str], cache: Path) -> DocumentSource | None:
    """The source of this name if one of the `allowed` beginnings covers it, else None.

    file:PATH is a folder, or a git repository on this machine; anything else is for git.
    """
    if not any(_covers(beginning, repo) for beginning in allowed):
        return None
    if path := file_place(repo):
        is_git = (path / ".git").exists() or ((path / "HEAD").is_file() and (path / "objects").is_dir())
        return GitSource(str(path), commit, cache) if is_git else FolderSource(path)
    return GitSource(repo, commit, cache)


def _covers(beginning: str, repo: str) -> bool:
    """Whole parts of a path only, and no way back up."""
    if not repo.isprintable() or any(letter in repo for letter in " %?#\\"):
        return False  # what a server might read as another path than it looks like
    inside, place = file_place(repo), file_place(beginning)
    if inside or place:
        return bool(inside and place and inside.resolve().is_relative_to(place.resolve()))
    rest = repo.removeprefix(beginning)
    is_whole = not rest or beginning.endswith("/") or rest.startswith("/") or rest == ".git"
    return repo.startswith(beginning) and is_whole and ".." not in repo.split("/")


def file_place(repo: str) -> Path | None:
    """The absolute path that a name such as file:/data/manuals means; None for any other name."""
    if not repo.startswith("file:"):
        return None
    path = Path(re.sub(r"^file:(//)?(?=/)", "", repo))
    return path if path.is_absolute() else None


def _relative(pattern: str) -> PurePosixPath:
    parts = PurePosixPath(pattern.replace("\\", "/"))
    if parts.is_absolute() or ".." in parts.parts or ":" in "".join(parts.parts[:1]):
        raise UnreadableDocument("a pattern leads out of the documents folder", "make it relative to it")
    return parts


def _is_matched(names: Sequence[str], pattern: Sequence[str]) -> bool:
    """As pathlib's globs: part by part, and `**` for any number of folders."""
    starts = {0}  # how many of the names the pattern so far may have used up
    for part in pattern:
        if part == "**":
            starts = {number for start in starts for number in range(start, len(names))}
        else:
            starts = {start + 1 for start in starts if start < len(names) and fnmatch.fnmatchcase(names[start], part)}
    return len(names) in starts


def _git(store: Path, *arguments: str) -> bytes:
    options = [word for setting in _SAFE for word in ("-c", setting)]
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}  # they override options
    try:
        done = subprocess.run(
            ["git", *options, *arguments], cwd=store, stdin=subprocess.DEVNULL, capture_output=True, check=True,
            timeout=FETCH_TIMEOUT_S, env={**inherited, "LC_ALL": "C"},
        )  # fmt: skip
    except FileNotFoundError as error:
        raise UnreadableDocument("git is not installed", "install git, or take the documents from a folder") from error
    except subprocess.TimeoutExpired as error:
        what = f"the repository did not answer within {FETCH_TIMEOUT_S} s"
        raise UnreadableDocument(what, "look at the network, or clone it and name the clone with file:") from error
    except subprocess.CalledProcessError as error:
        said = [line for line in error.stderr.decode("utf-8", "replace").splitlines() if line.strip()]
        reason = next((line for line in said if line.startswith(("fatal:", "error:"))), said[0] if said else str(error))
        raise UnreadableDocument(f"the repository cannot be read: {reason}", "mend document.repo and commit") from error
    return done.stdout
