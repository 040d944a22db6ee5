-- The rights of the concentrator on PostgreSQL: run once by the owner of the database, and again after each migration.
--   psql -d oct -v application=oct_app -f infra/postgres/roles.sql
-- The owner runs « oct init » (migrations); [store] url of « oct run » names the application's role, made beforehand:
--   CREATE ROLE oct_app LOGIN PASSWORD '…';
-- The application adds events and reads them, and can neither change nor remove what was sealed (J2). Triggers refuse it
-- too, to the owner as well; but an owner can take triggers away, and so the program should not run as the owner.

GRANT USAGE ON SCHEMA public TO :"application";
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO :"application";
GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO :"application";

REVOKE UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER ON events, event_leaves, tree_heads, head_stamps FROM :"application";
-- What readings say goes after its retention, and events are emptied after theirs, by a function that takes none of less
-- than a year (T3).
REVOKE UPDATE, TRUNCATE, REFERENCES, TRIGGER ON event_details FROM :"application";
GRANT EXECUTE ON FUNCTION empty_events(bigint, bigint) TO :"application";
REVOKE INSERT, UPDATE, DELETE ON alembic_version FROM :"application";
REVOKE INSERT, DELETE ON tree_state FROM :"application";
