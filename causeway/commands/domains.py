"""`causeway domains`: what is delivered to Odoo when, how soon, and what people hold back."""

from __future__ import annotations

from typing import Annotated

import typer

from causeway.console import DEFAULT_CONFIG, ConfigOption, JsonOption, out, print_json, print_table
from causeway.exits import Exit
from config.loading import load_settings
from config.policies import Domain

app = typer.Typer(help="Domains of the delivery to Odoo: report, hold, release.", no_args_is_help=True)

DomainArgument = Annotated[Domain, typer.Argument(metavar="DOMAIN", help="Such as orders or stock.")]


@app.command("list")
def list_(
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
    hours: Annotated[int, typer.Option("--hours", min=1, help="How far back ages at delivery are looked at.")] = 24,
) -> None:
    """List the domains: what waits in each, how old records were at delivery, and how its service level was kept."""
    from loaders.delivering.service_levels import DomainSwitches

    settings = load_settings(config)
    with DomainSwitches(settings.state, settings.policies) as switches:
        found = switches.report(hours)
    if as_json:
        print_json([one.as_dict() for one in found])
        return
    rows = [
        (
            one.domain,
            f"held by {one.held_by}: {one.reason}" if one.held_by else one.mode,
            one.deliver,
            one.pending,
            one.parked,
            one.dead,
            _seconds(one.oldest_pending_s),
            one.delivered,
            _seconds(one.age_p50_s),
            _seconds(one.age_p99_s),
            _seconds(one.service_level_s),
            None if one.kept_ratio is None else f"{one.kept_ratio:.1%}",
        )
        for one in found
    ]
    titles = (
        "domain",
        "mode",
        "deliver",
        "pending",
        "parked",
        "dead",
        "oldest",
        "delivered",
        "p50",
        "p99",
        "level",
        "kept",
    )
    print_table(f"the last {hours} hours", titles, rows)


@app.command("hold")
def hold(
    domain: DomainArgument,
    by: Annotated[str, typer.Option("--by", help="Who holds it.")],
    reason: Annotated[str, typer.Option("--reason", help="Why.")],
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Deliver nothing of a domain until it is released; its records are kept, and running lanes see it within seconds."""
    from loaders.delivering.service_levels import DomainSwitches

    settings = load_settings(config)
    with DomainSwitches(settings.state, settings.policies) as switches:
        switches.hold(domain, by=by, reason=reason)
    out.print(f"{domain.value} is held: its records stay in the outbox.", markup=False)


@app.command("release")
def release(domain: DomainArgument, config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Deliver a domain again. Exit code 1 where nobody held it."""
    from loaders.delivering.service_levels import DomainSwitches

    settings = load_settings(config)
    with DomainSwitches(settings.state, settings.policies) as switches:
        released = switches.release(domain)
    out.print(f"{domain.value} is delivered again." if released else f"{domain.value} was not held.", markup=False)
    if not released:
        raise typer.Exit(Exit.FOUND)


def _seconds(value: float | None) -> str | None:
    return None if value is None else f"{value:,.1f} s"
