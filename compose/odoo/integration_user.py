"""Run inside `odoo shell`, which provides `env`: the administrator's password, and a user for the bridge."""

from pathlib import Path

SECRETS = Path("/run/secrets")
GROUPS = (
    "base.group_user",
    "base.group_partner_manager",
    "base.group_erp_manager",  # reads external ids (ir.model.data), by which the bridge finds its records again
    "sales_team.group_sale_manager",
    "stock.group_stock_manager",
    "account.group_account_manager",
)

env = globals()["env"]
groups = [env.ref(name).id for name in GROUPS]
user = env["res.users"].search([("login", "=", "causeway")])
if not user:
    user = env["res.users"].with_context(no_reset_password=True).create({"name": "Causeway", "login": "causeway"})
user.write(
    {
        "groups_id": [(4, group) for group in groups],
        "password": (SECRETS / "odoo_bridge_password").read_text().strip(),
    }
)
env.ref("base.user_admin").write({"password": (SECRETS / "odoo_admin_password").read_text().strip()})
env.cr.commit()
