"""`causeway shadow`: what domains in shadow mode would have made of Odoo, and taking over what Odoo holds already."""

from __future__ import annotations

from typing import Annotated

import typer

from causeway.console import DEFAULT_CONFIG, ConfigOption, JsonOption, out, print_json, print_table
from causeway.exits import Exit
from config.loading import load_settings
from config.policies import Domain
from loaders.shadow.verdict import Verdict

app = typer.Typer(help="Comparisons of domains in shadow mode: summary, list, adopt.", no_args_is_help=True)

_ADOPTED = {Domain.CUSTOMERS: "customer", Domain.PRODUCTS: "product"}


@app.command("summary")
def summary(config: ConfigOption = DEFAULT_CONFIG, as_json: JsonOption = False) -> None:
    """Count the verdicts by entity."""
    from loaders.shadow import ShadowReport

    with ShadowReport(load_settings(config).state) as report:
        found = report.summary()
    if as_json:
        print_json(found)
        return
    rows = [(entity, *(counts.get(verdict.value) for verdict in Verdict)) for entity, counts in found.items()]
    print_table("compared with Odoo", ("entity", *(verdict.value for verdict in Verdict)), rows)


@app.command("list")
def list_(
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
    domain: Annotated[Domain | None, typer.Option("--domain", help="Only this domain.")] = None,
    verdict: Annotated[Verdict | None, typer.Option("--verdict", help="Only this verdict.")] = None,
) -> None:
    """List the comparisons, each with the fields in which Odoo says something else. Exit code 1 where one differs."""
    from loaders.shadow import ShadowReport

    with ShadowReport(load_settings(config).state) as report:
        found = report.comparisons(domain=domain, verdict=verdict.value if verdict else None)
    if as_json:
        print_json(found)
    else:
        rows = [
            (
                one["record_id"],
                one["verdict"],
                f"{one['model']} {one['odoo_id']}" if one["odoo_id"] else one["model"],
                one["matched_by"],
                "; ".join(f"{name}: {ours} here, {its} in Odoo" for name, (ours, its) in one["differences"].items()),
            )
            for one in found
        ]
        print_table(f"{len(rows)} records compared", ("record", "verdict", "in Odoo", "found by", "differences"), rows)
    if any(one["verdict"] not in (Verdict.SAME, Verdict.NOT_COMPARED) for one in found):
        raise typer.Exit(Exit.FOUND)


@app.command("adopt")
def adopt(
    domain: Annotated[Domain, typer.Argument(metavar="DOMAIN", help="customers or products.")],
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Take over what Odoo holds of a domain: from then on the bridge writes those records instead of making second ones."""
    from loaders.odoo.client import OdooClient
    from loaders.shadow import ShadowReport, adopt

    if domain not in _ADOPTED:
        raise typer.BadParameter(f"only {', '.join(one.value for one in _ADOPTED)} can be adopted")
    settings = load_settings(config)
    client = OdooClient(settings.odoo)
    try:
        with ShadowReport(settings.state) as report:
            count = adopt(report.connection, client, _ADOPTED[domain])
    finally:
        client.close()
    out.print(f"{count} records of Odoo's are the bridge's now.")
    if count == 0:
        raise typer.Exit(Exit.FOUND)
