"""The table of a run: scenarios against one parameter, or against several backends."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from esper_audit.data.audits import Audit, backends_of
from esper_audit.report.cells import Cell, cell, graphs_cell
from esper_audit.report.sections import Style

MISSING = Cell("", Style.MUTED)


@dataclass(frozen=True)
class Matrix:
    """Column heads, and rows of a label with its cells."""

    corner: str
    heads: tuple[str, ...]
    rows: tuple[tuple[str, tuple[Cell, ...]], ...]
    counts_graphs: bool


def matrix(audits: Sequence[Audit], columns: str) -> Matrix:
    """Lay audits out. ``columns`` names the parameter whose values become columns."""
    backends = backends_of(audits) or [""]
    if len(backends) > 1:
        return _lay_out(audits, "scenario", "", backends, counts_graphs=True)
    has_columns = any(columns in audit.parameters for audit in audits)
    if not has_columns:
        return _lay_out(audits, "scenario", "", backends, counts_graphs=False)
    values = list(dict.fromkeys(audit.parameters.get(columns, "") for audit in audits))
    return _lay_out(audits, f"scenario \\ {columns}", columns, values, counts_graphs=False)


def _lay_out(
    audits: Sequence[Audit], corner: str, columns: str, heads: Sequence[str], counts_graphs: bool
) -> Matrix:
    """What belongs to no head, as a file that could not be loaded, stands in the first column."""
    show = graphs_cell if counts_graphs else cell
    rows: dict[str, dict[str, Cell]] = {}
    varying = _varying(audits, columns)
    for audit in audits:
        head = audit.parameters.get(columns, "") if columns else audit.backend
        row = rows.setdefault(_label(audit, varying), {})
        row[head if head in heads else heads[0]] = show(audit)
    return Matrix(
        corner=corner,
        heads=tuple(head or "(none)" for head in heads),
        rows=tuple(
            (label, tuple(cells.get(head, MISSING) for head in heads))
            for label, cells in rows.items()
        ),
        counts_graphs=counts_graphs,
    )


def _varying(audits: Sequence[Audit], columns: str) -> set[tuple[str, str]]:
    """Parameters with more than one value in a scenario of this run: the others tell nothing."""
    values: dict[tuple[str, str], set[str]] = {}
    for audit in audits:
        for name, value in audit.parameters.items():
            if name != columns:
                values.setdefault((audit.scenario, name), set()).add(value)
    return {key for key, found in values.items() if len(found) > 1}


def _label(audit: Audit, varying: set[tuple[str, str]]) -> str:
    shown = [value for name, value in audit.parameters.items() if (audit.scenario, name) in varying]
    return f"{audit.scenario} [{'-'.join(shown)}]" if shown else audit.scenario
