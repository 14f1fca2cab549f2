"""The command line: parse, call, print, exit. One command a file, one place that catches."""

from __future__ import annotations

import sys
from contextlib import suppress

from esper_audit.cli.interrupts import INTERRUPTS
from esper_audit.errors import AuditError, ExitCode


def main() -> None:
    """Entry point of ``esper-audit``; ends the process with the exit code of the command."""
    with INTERRUPTS:
        _run()


def _run() -> None:
    try:
        from esper_audit.cli.app import app

        hook = sys.excepthook
        result = app(standalone_mode=False, prog_name="esper-audit")
        if callable(result):
            sys.excepthook = hook  # typer has put one of its own in place
            INTERRUPTS.leave_to_program()
            result()
        elif result:  # typer's word for Ctrl-C, which it catches itself
            complain("Interrupted.", "")
            sys.exit(ExitCode.INCOMPLETE)
    except SystemExit:
        raise
    except AuditError as error:
        complain(str(error), error.hint)
        sys.exit(error.exit_code)
    except KeyboardInterrupt as error:
        from esper_audit.errors import UNCAUGHT

        if error is UNCAUGHT:
            raise
        complain("Interrupted.", "")
        sys.exit(ExitCode.INCOMPLETE)
    except Exception as error:
        if type(error).__name__ == "NoArgsIsHelpError":  # no command: the help is the message
            _print(str(error))
            sys.exit(ExitCode.USAGE)
        if hasattr(error, "format_message"):  # typer's own, of a wrong command line
            complain(error.format_message(), f"See `{_command(error)} --help`.")
            sys.exit(ExitCode.USAGE)
        from esper_audit.recording.usable_torch import trouble_behind

        trouble = trouble_behind(error)
        if trouble is not None:
            complain(str(trouble), trouble.hint)
            sys.exit(trouble.exit_code)
        import traceback

        from esper_audit.data.clean import clean_lines

        _print(clean_lines(traceback.format_exc()).rstrip())
        complain("This is a defect of esper-audit, not of your code.", "Please report it.")
        sys.exit(ExitCode.INCOMPLETE)


def _command(error: Exception) -> str:
    """The command that a wrong command line is of."""
    return str(getattr(getattr(error, "ctx", None), "command_path", "esper-audit"))


def complain(message: str, hint: str) -> None:
    """Say what went wrong and what to do about it."""
    from esper_audit.data.clean import clean_lines

    _print(f"esper-audit: {clean_lines(message)}")
    if hint:
        _print(f"  {clean_lines(hint)}")


def _print(text: str) -> None:
    """Say it on stderr; nowhere where that is closed or full: the exit code stands."""
    if sys.stderr is not None:  # print would take stdout instead
        with suppress(OSError, ValueError):
            print(text, file=sys.stderr)
