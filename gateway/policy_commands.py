"""The commands about policies: `dragoman policy set|list|clear|show`.

They ask the running broker, or change the store that no broker has open, as those about users do; `show` needs the broker.
"""

import json
from typing import Annotated, Final

import typer

from gateway.command_store import MISTAKEN, ConfigOption, DirectoryOption, complain, show_table
from gateway.control_commands import as_json, asked, told

WHICH: Final = (("policy", "policy"), ("operator policy", "operator-policy"))

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="The policy.")]
VhostOption = Annotated[str, typer.Option("--vhost", "-p", help="The virtual host.")]
OperatorOption = Annotated[bool, typer.Option("--operator", help="An operator policy: a bound to all others.")]

policy_app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Policies of queues and exchanges.")


@policy_app.command("set", short_help="Set a policy.")
def set_policy(
    name: NameArgument,
    pattern: Annotated[str, typer.Argument(metavar="PATTERN", help="Regular expression on names.")],
    definition: Annotated[str, typer.Argument(metavar="DEFINITION", help="JSON, as in '{\"max-length\": 1000}'.")],
    apply_to: Annotated[str, typer.Option(help="queues, classic_queues, quorum_queues, exchanges or all.")] = "",
    priority: Annotated[int, typer.Option(help="Of several that match, the one with the highest applies.")] = 0,
    vhost: VhostOption = "/",
    operator: OperatorOption = False,
    store: DirectoryOption = None,
    config: ConfigOption = None,
) -> None:
    """Set a policy, in place of the one of that name. It applies at once to what is there."""
    from gateway.escaping import printable

    try:
        value = json.loads(definition)
    except (ValueError, RecursionError) as error:
        complain(f"the definition of policy '{name}' is not JSON: {error}")
        raise typer.Exit(MISTAKEN) from None
    with asked(store, config, creates=True) as asking:
        answer = asking.ask(
            "policy set",
            name=name,
            pattern=pattern,
            definition=value,
            vhost=vhost,
            apply_to=apply_to,
            priority=priority,
            operator=operator,
        )
        typer.echo(f"policy '{printable(name)}' set in vhost '{printable(vhost)}'")
        told(answer)


@policy_app.command("list", short_help="Print the policies.")
def list_policies(
    vhost: VhostOption = "/",
    operator: OperatorOption = False,
    store: DirectoryOption = None,
    config: ConfigOption = None,
) -> None:
    """Print the policies of a virtual host, in the order in which they apply."""
    from gateway.escaping import printable

    with asked(store, config) as asking:
        answer = asking.ask("policy list", vhost=vhost, operator=operator)
    rows: list[tuple[str, ...]] = [("name", "pattern", "apply to", "priority", "definition")]
    for policy in answer["policies"]:
        shown = (policy["name"], policy["pattern"], policy["apply-to"], str(policy["priority"]))
        rows.append((*[printable(text) for text in shown], as_json(policy["definition"])))
    show_table(rows)


@policy_app.command("clear", short_help="Remove a policy.")
def clear_policy(
    name: NameArgument,
    vhost: VhostOption = "/",
    operator: OperatorOption = False,
    store: DirectoryOption = None,
    config: ConfigOption = None,
) -> None:
    """Remove a policy."""
    from gateway.escaping import printable

    with asked(store, config) as asking:
        told(asking.ask("policy clear", name=name, vhost=vhost, operator=operator))
        typer.echo(f"policy '{printable(name)}' removed from vhost '{printable(vhost)}'")


@policy_app.command("show", short_help="Print which policies apply to a queue or an exchange.")
def show_policies(
    kind: Annotated[str, typer.Argument(metavar="KIND", help="queue or exchange.")],
    name: Annotated[str, typer.Argument(metavar="NAME", help="The queue or exchange.")],
    vhost: VhostOption = "/",
    store: DirectoryOption = None,
    config: ConfigOption = None,
) -> None:
    """Print which policy and operator policy apply to a queue or an exchange, and what they say together. The broker must run."""
    from gateway.escaping import printable

    with asked(store, config) as asking:
        answer = asking.ask("policy show", kind=kind, name=name, vhost=vhost)
    named = [(what, answer[key]) for what, key in WHICH if answer[key] is not None]
    if not named:
        typer.echo(f"no policy applies to {kind} '{printable(name)}' in vhost '{printable(vhost)}'")
        return
    rows: list[tuple[str, ...]] = [(what, printable(policy)) for what, policy in named]
    show_table([*rows, ("effective definition", as_json(answer["effective-definition"]))])


def add_to(app: typer.Typer) -> None:
    """Make these commands of `dragoman`."""
    app.add_typer(policy_app, name="policy")
