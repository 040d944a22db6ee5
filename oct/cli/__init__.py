"""The command line, `oct`: one file for each noun, errors on one line in French, never a traceback.

Exit codes: 0 done; 1 the thing asked for does not hold; 2 wrong use or configuration. Nothing but Typer is imported
before a command runs, so that help and mistakes answer at once.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence

from oct.errors import ConfigurationError, OctError, StoreError, described

DONE = 0
DOES_NOT_HOLD = 1
WRONG_USE = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command line (the process's own when None is given); its exit code."""
    from oct.cli.program import command
    from oct.cli.usage import is_usage_fault, page_instead, usage_sentence

    try:
        outcome = command().main(list(arguments) if arguments is not None else None, "oct", standalone_mode=False)
    except OctError as error:
        complain(error.describe())
        return WRONG_USE if isinstance(error, ConfigurationError | StoreError) else DOES_NOT_HOLD
    except Exception as surprise:  # noqa: BLE001 - the user's own door: one line, and the details in the log
        if is_usage_fault(surprise):
            page = page_instead(surprise)
            if page:
                print(page)
            else:
                complain(usage_sentence(surprise))
            return WRONG_USE
        return _surprised(surprise)
    return outcome if isinstance(outcome, int) else DONE


def complain(text: str) -> None:
    """Errors, one a line, on the standard error output."""
    for line in text.splitlines():
        print(f"oct : {line}", file=sys.stderr)


def _surprised(surprise: Exception) -> int:
    from oct.cli.logs import configure, log_surprise

    if os.environ.get("OCT_LOG", "").lower() == "debug":
        traceback.print_exception(surprise)
    configure("")
    log_surprise(described(surprise))
    complain(f"Erreur inattendue ({type(surprise).__name__}) ; OCT_LOG=debug en donne le détail.")
    return DOES_NOT_HOLD
