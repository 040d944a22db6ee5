"""The one task: process these messages, by their identifiers.

It opens what it needs at its first call in each process. What it claims, it claims from the database like any other
worker, so it may come late, twice or never. It returns nothing and does not fail for what a message holds.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from oct.steps.work.runner import Runner
from workers.app import PROCESS
from workers.requests import EndingRequest


def register(app: Any, open_runner: Callable[[], Runner], processed: Callable[[], None]) -> None:
    """Makes the task known to `app`; `processed` is called when there may be something to send."""
    opened = cache(open_runner)

    def process(ids: list[int]) -> None:
        if opened().process(ids):
            processed()

    app.task(process, name=PROCESS, Request=EndingRequest)
