"""The shared database."""

from sqlalchemy import Engine

from coordinator.db.session import make_engine, require_up
from coordinator.settings import Settings


def build_engine(settings: Settings) -> Engine:
    """Raises DatabaseDown."""
    engine = make_engine(settings.database_url)
    require_up(engine)
    return engine
