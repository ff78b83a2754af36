"""Run by alembic, on the connection that conductor/db/schema.py hands in."""

from alembic import context

from cloudplane.conductor.db import models

context.configure(
    connection=context.config.attributes['connection'],
    target_metadata=models.Base.metadata,
    render_as_batch=True,  # SQLite can change a table only by making it anew
    transactional_ddl=False,  # the caller's transaction is the one there is
)
context.run_migrations()
