"""torch's debug server of distributed programs: its worker handlers, and the pages of its frontend.

torch/distributed/debug (2.13 and newer): ``start_debug_server(handlers=…)`` takes the pages, each a
``DebugHandler`` of ``_frontend.py``, and shows them in a process of its own, which asks a server in
each rank. What that answers is registered in C++ by name, as ``_handlers.py`` does it.
"""

from __future__ import annotations

import ctypes
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from esper_audit.errors import UsageError

OK, NOT_FOUND, FAILED = 200, 404, 500


Answer = tuple[bool, str]
"""Of one rank: whether it is what was asked for; else the text says why it is not."""


def _module(name: str) -> Any:
    """A part of torch's debug server. Raises UsageError where this torch has none, or it lacks."""
    from importlib import import_module

    try:
        import_module("torch.distributed.debug")
    except ImportError:
        raise UsageError(
            "This torch has no debug server for distributed programs.", "It needs torch 2.13."
        ) from None
    try:
        return import_module(f"torch.distributed.debug.{name}")
    except ImportError as error:
        raise UsageError(
            f"torch's debug server can't be imported: {error}.",
            "Install what it needs: pip install jinja2 requests tabulate",
        ) from None


def default_pages() -> list[Any]:
    """The pages that torch shows by itself. Raises UsageError where there is no debug server."""
    return list(_module("_debug_handlers").default_handlers())


def answer_with(name: str, answer: Callable[[], str | None]) -> None:
    """Let the server of this process answer by this name, with JSON; with 404 where that is None.

    Raises UsageError where there is no debug server.
    """
    _module("_frontend")
    from torch._C import _distributed_c10d

    def handle(request: Any, response: Any) -> None:
        del request
        try:
            found = answer()
            status, text = (NOT_FOUND, "") if found is None else (OK, found)
        except Exception:
            status, text = FAILED, traceback.format_exc()
        response.set_content(text, "application/json" if status == OK else "text/plain")
        response.set_status(status)

    # C++ lets go of it past the interpreter's end, where to free it would abort the process.
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(handle))
    _distributed_c10d._register_handler(name, handle)


@dataclass
class DebugPage:
    """A page of the frontend, as torch's ``DebugHandler``: it goes to that process by pickle.

    Its class is no subclass, so that importing this needs no debug server.
    """

    path: str
    label: str
    name: str
    show: Callable[[Sequence[Answer]], str]
    dumped: Callable[[Sequence[Answer]], str]
    fetch_timeout: float = 60.0

    def routes(self) -> list[Any]:
        """Where it is shown."""
        return [_module("_frontend").Route(self.path, self._show)]

    def nav_links(self) -> list[Any]:
        """The link to it on every page of torch's."""
        return [_module("_frontend").NavLink(self.path, self.label)]

    def templates(self) -> dict[str, str]:
        """It needs none."""
        return {}

    def dump(self) -> str | None:
        """What torch writes into ``dump_dir`` from time to time, where asked to."""
        return self.dumped(self._answers())

    def dump_filename(self) -> str:
        """Its name in ``enabled_dumps``."""
        return self.path.strip("/")

    def _show(self, request: Any) -> bytes:
        del request
        return self.show(self._answers()).encode()

    def _answers(self) -> list[Answer]:
        _, fetched = _module("_frontend").fetch_all(self.name, timeout=self.fetch_timeout)
        return [(found.status_code == OK, found.text) for found in fetched]
