"""The database, opened by the conductor alone: one query module per noun. Nothing outside knows SQLAlchemy."""
