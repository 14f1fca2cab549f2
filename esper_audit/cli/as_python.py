"""The command line of ``exec``: as that of ``python``, what follows a module belongs to it."""

from __future__ import annotations

from typing import Any

from esper_audit.cli.command import Command
from esper_audit.errors import UsageError

_OF_PYTHON = ("-b", "-B", "-d", "-E", "-i", "-I", "-O", "-P", "-s", "-S", "-u", "-W", "-X")


class ExecCommand(Command):
    """As of ``python``: what follows ``-m MODULE`` belongs to the module."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        takes_value = {
            option
            for parameter in self.params
            if not getattr(parameter, "is_flag", False)
            for option in parameter.opts
        }
        place = 0
        while place < len(args) and args[place].startswith("-") and args[place] != "--":
            option = args[place]
            if option not in takes_value:
                _refuse_python(args, place)
            if args[place:] == ["-m"]:
                raise UsageError(
                    "-m takes the name of a module.", "For example: esper-audit exec -m pytest"
                )
            if option == "-m":
                rest = args[place + 2 :]
                args = [*args[: place + 2], *(["--", *rest] if rest else [])]
                break
            if option.startswith("-m"):  # -mMODULE
                args = [*args[:place], "-m", option[2:], "--", *args[place + 1 :]]
                break
            place += 2 if args[place] in takes_value else 1
        return super().parse_args(ctx, args)

    def may_be_empty(self, name: str, given: Any) -> bool:
        """What follows the program is its own."""
        return name == "program" and bool(given[0])


def _refuse_python(args: list[str], place: int) -> None:
    """Raise UsageError where an option of the interpreter is given to us."""
    option = args[place]
    if option.startswith("-c"):
        raise UsageError("exec takes no code.", "Write it to a file, and give that file.")
    if option[:2] in _OF_PYTHON and not option.startswith("--"):
        from esper_audit.data.meant import program_meant

        meant = program_meant(["python", *args[place:]], args[:place])
        raise UsageError(f"{option} is an option of python, not of exec.", f"Type: {meant}")
