#!/bin/sh
# Makes the role by which Grafana reads the records. Run once, when PostgreSQL makes its database.
set -eu

# Any user can read a command line, so the password comes from the environment.
psql --set=ON_ERROR_STOP=1 --quiet --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" <<'SQL'
\getenv secret GRAFANA_DATABASE_PASSWORD
CREATE ROLE grafana LOGIN PASSWORD :'secret';
ALTER ROLE grafana SET default_transaction_read_only = on;
ALTER ROLE grafana SET statement_timeout = '30s';
GRANT pg_read_all_data TO grafana;
SQL
