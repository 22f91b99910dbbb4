"""The store: every fact of Longshore, by the part that keeps it."""

from longshore.store import recording
from longshore.store.answers import Answers
from longshore.store.database import Database
from longshore.store.deployments import Deployments
from longshore.store.events import Events
from longshore.store.fleet import Fleet
from longshore.store.freezes import Freezes
from longshore.store.keys import Keys
from longshore.store.ledger import Ledger
from longshore.store.models import Models
from longshore.store.notes import Notes
from longshore.store.records import Record
from longshore.store.reservations import Reservations
from longshore.store.startups import Startups
from longshore.store.targets import Targets
from longshore.store.traffic import Traffic


class Store:
    """All repositories over one database. Every method is one transaction, and raises `StoreUnavailableError`.

    | part | keeps |
    |---|---|
    | `record(record)` | what a step of a workflow wrote: events, operation, deployment, revisions, ledger |
    | `targets` `models` `freezes` | what was registered |
    | `deployments` `events` `ledger` | what the workflows said, to read |
    | `fleet` `startups` | what was observed |
    | `reservations` | room that operations hold or wait for |
    | `traffic` | routes, gateways, samples |
    | `notes(target)` | what an adapter noted of somebody else's platform |
    | `keys` `answers` | API keys, and what requests were answered under their idempotency keys |
    """

    def __init__(self, database: Database) -> None:
        self.database = database
        self.targets = Targets(database)
        self.models = Models(database)
        self.freezes = Freezes(database)
        self.deployments = Deployments(database)
        self.events = Events(database)
        self.ledger = Ledger(database)
        self.fleet = Fleet(database)
        self.startups = Startups(database)
        self.reservations = Reservations(database)
        self.traffic = Traffic(database)
        self.keys = Keys(database)
        self.answers = Answers(database)

    def notes(self, target: str) -> Notes:
        """What the adapter of a target notes of resources that it does not run itself."""
        return Notes(self.database, target)

    async def record(self, record: Record) -> bool:
        """Write what one step says, in one transaction; the same step again writes nothing and answers false."""
        return await recording.record(self.database, record)
