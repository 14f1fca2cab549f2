"""Whose a source file is: torch's, a library's, ours, or the user's own."""

from __future__ import annotations

import sysconfig
from functools import lru_cache

import torch

_TORCH_FOLDER = torch.__path__[0] + "/"
_OWN_FOLDER = __file__.rpartition("/_dynamo/")[0] + "/"
_STANDARD_LIBRARY = sysconfig.get_path("stdlib") + "/"
_INSTALLED = tuple(f"{sysconfig.get_path(name)}/" for name in ("purelib", "platlib"))
_PACKAGES = ("/site-packages/", "/dist-packages/")
"""Folders of installed packages anywhere: those of the user, of another environment's ``.pth``."""
_NOT_THE_USERS = (_TORCH_FOLDER, _OWN_FOLDER)
_CELL_FILES = ("<ipython-input-", "<timed exec>", "<timed eval>", "<magic-timeit>")
"""How IPython names the code of a cell, and of one under %%time or %%timeit.

IPython/core/compilerop.py and magics/execution.py; ipykernel makes up a path for a cell.
"""


def is_torch_file(path: str) -> bool:
    """Whether a source file belongs to torch itself."""
    return path.startswith(_TORCH_FOLDER)


def is_library_file(path: str) -> bool:
    """Whether a source file is torch's, the standard library's, ours or made up (``<string>``)."""
    in_library = path.startswith(_STANDARD_LIBRARY) and not _is_installed(path)
    made_up = path.startswith("<") and not path.startswith(_CELL_FILES)
    return in_library or made_up or path.startswith(_NOT_THE_USERS)


@lru_cache(maxsize=4096)
def is_user_file(path: str) -> bool:
    """Whether a source file is the user's own: in no library and in no installed package."""
    return not is_library_file(path) and not _is_installed(path)


def _is_installed(path: str) -> bool:
    return path.startswith(_INSTALLED) or any(folder in path for folder in _PACKAGES)
