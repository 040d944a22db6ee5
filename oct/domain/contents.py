"""The bytes of a planned lot, as they leave or wait: made when they are wanted, checked before anybody has them.

A plan holds no bytes: those of a large file with contract 99 would stand three times in memory. A lot that is only
routed is a view of what was received; one that contract 99 changes, or that it derives, is made here, one at a time.
Fails with ConservationError alone, which is a defect of the program.
"""

from __future__ import annotations

import hashlib

from oct.domain.conservation import check_content
from oct.domain.contract99 import amc_lot, amo_lot
from oct.domain.plan import Made, Planned, SplitContext
from oct.formats.b2 import B2File


def content_of(file: B2File, planned: Planned, context: SplitContext) -> bytes | memoryview:
    """The bytes of a lot of `file`, compared with what was received (L1, C4, C5)."""
    content = _made(file, planned, context)
    check_content(file, planned, content, context)
    return content


def weighed(planned: Planned, content: bytes | memoryview) -> Planned:
    """The lot with what is kept of its bytes once they are gone."""
    if not (planned.altered or planned.derived is not None):
        return planned
    return planned._replace(made=Made(hashlib.sha256(content).digest(), len(content)))


def _made(file: B2File, planned: Planned, context: SplitContext) -> bytes | memoryview:
    if planned.derived is not None:
        return amc_lot(file, planned.source, planned.derived, context)
    if planned.altered:
        return amo_lot(file, planned.source, context)
    return file.view(planned.source)
