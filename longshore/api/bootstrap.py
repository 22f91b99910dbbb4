"""The real things that the API works with, from the settings."""

from longshore.api.dependencies import Dependencies
from longshore.api.metrics import Metrics
from longshore.api.temporal import DeploymentWorkflows, connector
from longshore.backends.port import Backend
from longshore.backends.registry import backend_for
from longshore.settings import Settings
from longshore.spec.prices import load
from longshore.spec.target import TargetSpec
from longshore.store.database import Database
from longshore.store.store import Store


def build(settings: Settings, database_url: str) -> Dependencies:
    """What requests work with. Nothing is connected yet.

    Raises:
        StoreUnavailableError: the database's address makes no sense.
        PricesError: the file of prices cannot be read.
    """
    store = Store(Database.connect(database_url))

    def backend_of(name: str, spec: TargetSpec) -> Backend:
        return backend_for(name, spec, settings, store.notes)

    return Dependencies(
        settings=settings,
        store=store,
        workflows=DeploymentWorkflows(connector(settings)),
        backend_of=backend_of,
        metrics=Metrics(),
        prices=load(settings.prices),
    )
