"""`oct`, one version later: the same program behind a migration that does not exist yet, for the tests of P5.

`python -m tests.journeys.upgraded DIRECTORY run …`: the migrations are copied into DIRECTORY, with one more that
changes tables which hold live data. The program before it refuses the database afterwards, as it should.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from oct.cli import main
from oct.store import schema

BEFORE, AFTER = schema.REVISION, "9001"
_NEXT = f'''
import sqlalchemy as sa
from alembic import op

revision, down_revision, branch_labels, depends_on = "{AFTER}", "{BEFORE}", None, None


def upgrade() -> None:
    for table in ("messages", "consignments"):
        op.add_column(table, sa.Column("later", sa.Integer(), nullable=False, server_default="0"))
        op.execute(f"UPDATE {{table}} SET later = attempts + 1")
        op.create_index(f"{{table}}_later", table, ["later"])
'''

if __name__ in ("__main__", "__mp_main__"):  # the second in the processes of the openers
    schema.REVISION = AFTER

if __name__ == "__main__":
    versions = Path(sys.argv[1])
    if not versions.exists():
        shutil.copytree(schema.MIGRATIONS, versions)
        (versions / "versions" / f"{AFTER}_later.py").write_text(_NEXT, encoding="utf-8")
    schema.MIGRATIONS = versions
    sys.exit(main(sys.argv[2:]))
