"""Whose a source file is that a log names, by its path alone: it may be of another machine."""

from __future__ import annotations

import re
from functools import lru_cache

_INSTALLED = re.compile(r"/(?:site|dist)-packages/")
_TORCHS_OWN = re.compile(
    r"/(?:site|dist)-packages/torch/|(?:^|/)torch/(?:_\w+|nn/modules|utils|autograd|optim|fx)/"
)
_STANDARD_LIBRARY = re.compile(r"/lib(?:64)?/python3\.\d+/(?!(?:site|dist)-packages/)")
_CELLS = ("<ipython-input-", "<timed exec>", "<timed eval>", "<magic-timeit>")


@lru_cache(maxsize=4096)
def is_torch_file(path: str) -> bool:
    """Whether a source file belongs to torch itself."""
    return _TORCHS_OWN.search(path) is not None


def torch_folder_in(path: str) -> str:
    """The folder that torch is installed in, of one of its files; empty for other files."""
    head, found, _ = path.rpartition("-packages/torch/")
    return f"{head}{found}".rstrip("/") if found else ""


@lru_cache(maxsize=4096)
def is_library_file(path: str) -> bool:
    """Whether a source file is torch's, the standard library's or made up (``<string>``)."""
    made_up = path.startswith("<") and not path.startswith(_CELLS)
    in_library = _STANDARD_LIBRARY.search(path) is not None and not _INSTALLED.search(path)
    return made_up or in_library or is_torch_file(path)
