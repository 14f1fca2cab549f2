"""A folder with saved audits, and the command line in it, in this process."""

from __future__ import annotations

import sys

from report_builders import report

from esper_audit.cli import main
from esper_audit.data.storage import save

BASELINE = "esper-audit-baseline.json"


class Desk:
    """A folder, and the command in it."""

    def __init__(self, folder, monkeypatch, capsys):
        self.folder, self._monkeypatch, self._capsys = folder, monkeypatch, capsys
        monkeypatch.chdir(folder)

    def saved(self, *audits, name="a.json", **fields):
        save(
            report(*audits, **{"control": None, "root": str(self.folder), **fields}),
            self.folder / name,
        )
        return name

    def run(self, *arguments):
        """Exit code, stdout, stderr."""
        self._monkeypatch.setattr(sys, "argv", ["esper-audit", *arguments])
        code: object = 0
        try:
            main()
        except SystemExit as left:
            code = left.code
        said = self._capsys.readouterr()
        return code, said.out, said.err

    def gate(self, *arguments):
        return self.run("gate", *arguments)

    def accept(self, *audits, **fields):
        name = self.saved(*audits, name="accepted.json", **fields)
        assert self.gate(name, "--update-baseline")[0] == 0

    @property
    def baseline(self):
        return self.folder / BASELINE
