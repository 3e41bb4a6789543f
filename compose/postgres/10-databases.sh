#!/bin/bash
# Runs once, when the volume of the database is new: roles and databases of Odoo, the sources and the bridge.
set -euo pipefail

secret() { cat "/run/secrets/$1"; }
run() { psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" "$@"; }

run --dbname postgres \
    --set odoo="$(secret odoo_db_password)" \
    --set capture="$(secret source_password)" \
    --set state="$(secret state_password)" <<'SQL'
CREATE ROLE odoo LOGIN PASSWORD :'odoo';
CREATE ROLE causeway LOGIN PASSWORD :'state';
CREATE ROLE causeway_capture LOGIN REPLICATION PASSWORD :'capture';

-- As Odoo itself creates its database.
CREATE DATABASE odoo OWNER odoo TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C';
CREATE DATABASE causeway OWNER causeway;
CREATE DATABASE shop;
CREATE DATABASE market;
CREATE DATABASE wms;
SQL

# Tables that Odoo and the bridge will make: what captures may read them, and nothing else.
run --dbname odoo <<'SQL'
ALTER DEFAULT PRIVILEGES FOR ROLE odoo GRANT SELECT ON TABLES TO causeway_capture;
SQL
run --dbname causeway <<'SQL'
ALTER DEFAULT PRIVILEGES FOR ROLE causeway GRANT USAGE ON SCHEMAS TO causeway_capture;
ALTER DEFAULT PRIVILEGES FOR ROLE causeway GRANT SELECT ON TABLES TO causeway_capture;
SQL

for source in shop market wms; do
    run --dbname "$source" --file "/schemas/$source.sql"
    run --dbname "$source" --command 'GRANT SELECT ON ALL TABLES IN SCHEMA public TO causeway_capture'
done
