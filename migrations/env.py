"""How alembic runs a migration: on the connection it was given, one transaction each."""

from alembic import context

from longshore.store.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transaction_per_migration=True,
)
with context.begin_transaction():
    context.run_migrations()
