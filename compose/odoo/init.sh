#!/bin/bash
# Installs Odoo's modules in the empty database and makes the bridge's user; a second run only sets the passwords anew.
set -euo pipefail

installed() {
    PGPASSWORD=$(<"$PASSWORD_FILE") psql --no-psqlrc --host "$HOST" --username "$USER" --dbname odoo --tuples-only --no-align \
        --command "SELECT state FROM ir_module_module WHERE name = 'sale_management'" 2>/dev/null | grep -qx installed
}

if ! installed; then
    /entrypoint.sh odoo --database=odoo --init=sale_management,stock,account --without-demo=all --stop-after-init
fi
/entrypoint.sh odoo shell --database=odoo --no-http </init/integration_user.py
installed
