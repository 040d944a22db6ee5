"""The shape of the database: bringing it up to date, and refusing to run on another one.

Alembic takes more than a second to import, so only `upgrade` does; `check_schema` reads one row.
"""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Engine, inspect, text
from sqlalchemy.exc import DBAPIError

from oct.errors import StoreError
from oct.store.engine import open_store

REVISION = "0014"
"""The newest migration, which this program needs. A test holds it equal to `migrations/versions`."""

MIGRATIONS = Path(__file__).with_name("migrations")


def upgrade(url: str) -> None:
    """Bring the database at `url` to REVISION, creating what is missing, in one transaction."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    store = open_store(url)
    try:
        with store.begin() as conn:
            if store.dialect == "postgresql":
                conn.execute(text("SET LOCAL statement_timeout = 0"))
            config.attributes["connection"] = conn
            command.upgrade(config, "head")
    finally:
        store.close()


def check_schema(engine: Engine) -> None:
    """Raise StoreError, saying what to do, unless the database is at REVISION. A file that is not there stays so."""
    file = Path(engine.url.database or "") if engine.dialect.name == "sqlite" else None
    if file is not None and file.parent.is_dir() and not file.exists():
        raise StoreError(
            "base-vide",
            f"Pas de base de données ({file}) : allez dans le répertoire du concentrateur ou donnez --config ; "
            "« oct init » l'installe, « oct migrate » ne crée que la base.",
        )
    try:
        with engine.connect() as conn:
            known = inspect(conn).has_table("alembic_version")
            found = conn.execute(text("SELECT version_num FROM alembic_version")).scalar() if known else None
    except DBAPIError:
        raise StoreError("base-indisponible", "La base de données ne répond pas : vérifiez [store] url.") from None
    if found is None:
        raise StoreError("base-vide", "La base de données est vide : lancez « oct migrate » pour la créer.")
    if found != REVISION:
        cure = (
            "lancez « oct migrate »"
            if found < REVISION
            else "une version plus récente du programme l'a mise à jour, installez celle-là"
        )
        raise StoreError(
            "base-autre-version",
            f"La base de données est à la version {found}, le programme attend la version {REVISION} : {cure}.",
        )
