"""The store's schema, step by step (Alembic); run by `db.engine.open_store`, never by hand."""
