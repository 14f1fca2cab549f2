"""Files of the user's project: changed all together, and put back byte by byte."""

from __future__ import annotations

import importlib.util
import io
import os
import stat
import subprocess
import tempfile
import tokenize
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from esper_audit.data.files import is_file, whole
from esper_audit.data.remedies import Because, Ground, digest
from esper_audit.data.text import on_disk
from esper_audit.remedies.hunks import Change, Changes, StaleError, applied

_GIT_SECONDS = 60.0


class RefusedError(Exception):
    """The files are not changed, ``because`` of this."""

    def __init__(self, ground: Ground, text: str = "") -> None:
        super().__init__(text)
        self.because = Because(ground=ground, text=text)


@dataclass(frozen=True, slots=True)
class _File:
    path: Path
    before: bytes
    after: bytes


class WorkingTree:
    """A project's files. As a context, it puts back what :meth:`keep` was not called for."""

    def __init__(self, root: str) -> None:
        self._root = Path(on_disk(root))
        self._files: list[_File] = []
        self.is_kept = False

    def plan(self, changes: Changes, made_from: Mapping[str, str], *, force: bool) -> None:
        """Find out what would be written; raises RefusedError where it must not be.

        ``made_from`` are digests of the texts that the changes were made from.
        """
        paths = {name: self._inside(name) for name in changes}
        if not force:
            self._check_committed(paths)
        for name, path in paths.items():
            self._files.append(_planned(name, path, changes[name], made_from.get(name)))

    def _inside(self, name: str) -> Path:
        """The file itself, links followed; it must lie in the project's folder."""
        path = Path(os.path.realpath(self._root / on_disk(name)))
        if not path.is_relative_to(os.path.realpath(self._root)):
            raise RefusedError(Ground.OUTSIDE, name)
        if not is_file(path):
            raise RefusedError(Ground.CHANGED_SINCE, name)
        return path

    def _check_committed(self, paths: Mapping[str, Path]) -> None:
        for name, path in paths.items():
            said = _git(path.parent, "status", "--porcelain", "--ignored", "--", path.name)
            if said:
                raise RefusedError(Ground.DIRTY, name)

    def write(self) -> None:
        """Change all files, each whole; raises RefusedError where one can't be written."""
        for file in self._files:
            try:
                _write(file.path, file.after)
            except OSError as error:
                raise RefusedError(
                    Ground.NOT_WRITTEN, f"{file.path.name}: {_said(error)}"
                ) from None

    def keep(self) -> None:
        """Leave the files as they are now."""
        self.is_kept = True

    def __enter__(self) -> WorkingTree:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if not self.is_kept:
            try:
                self._put_back()
            except KeyboardInterrupt:
                self._put_back()
                raise

    def _put_back(self) -> None:
        """What somebody else has written since is theirs."""
        for file in self._files:
            with suppress(OSError):
                if whole(file.path) == file.after:
                    _write(file.path, file.before)


def _planned(name: str, path: Path, changes: Iterable[Change], made_from: str | None) -> _File:
    try:
        before = whole(path)
        encoding = tokenize.detect_encoding(io.BytesIO(before).readline)[0]
        text = before.decode(encoding)
        if digest(text) != made_from:
            raise RefusedError(Ground.CHANGED_SINCE, name)
        return _File(path, before, applied(text, changes).encode(encoding))
    except StaleError:
        raise RefusedError(Ground.CHANGED_SINCE, name) from None
    except (OSError, SyntaxError, ValueError, LookupError) as error:
        raise RefusedError(Ground.NOT_WRITTEN, f"{name}: {_said(error)}") from None


def _git(folder: Path, *arguments: str) -> str:
    """What git says; raises RefusedError where there is none, or no repository."""
    command = ["git", "-C", str(folder), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, timeout=_GIT_SECONDS, check=False)
    except (OSError, subprocess.SubprocessError) as error:
        raise RefusedError(Ground.NO_GIT, _said(error)) from None
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().partition("\n")[0]
        raise RefusedError(Ground.NO_GIT, said or f"git ended with {done.returncode}")
    return done.stdout.decode(errors="replace")


def _said(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def _write(path: Path, data: bytes) -> None:
    """The whole file or nothing, with the permissions that it has."""
    mode = stat.S_IMODE(path.stat().st_mode)
    handle, temporary = tempfile.mkstemp(prefix=".esper-audit-", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
        Path(temporary).chmod(mode)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    _forget_compiled(path)


def _forget_compiled(path: Path) -> None:
    """Python takes what it compiled for current where size and second of a file are the same."""
    with suppress(OSError, NotImplementedError, ValueError):
        Path(importlib.util.cache_from_source(str(path))).unlink(missing_ok=True)
