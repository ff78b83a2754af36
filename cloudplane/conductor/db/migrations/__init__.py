"""Alembic's migrations. A new one expands the schema; what it makes superfluous goes in a later release."""
