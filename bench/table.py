"""The table: one line a figure, ours beside the peers, the ratio and the ratio to reach."""

from bench.items import Item, Row
from bench.runner import Result

BUSY_SHARE = 0.97  # of a core; above it a rate may be the generator's own


def amount(value: float | None) -> str:
    if value is None:
        return "-"
    if value >= 1_000:
        return f"{value:,.0f}"
    return f"{value:.2f}" if value < 100 else f"{value:.0f}"


def ratio(row: Row, ours: float | None, peer: float | None) -> float | None:
    """Return how many times better ours is."""
    if not ours or not peer:
        return None
    return peer / ours if row.lower_is_better else ours / peer


def goal(row: Row, item: Item) -> str:
    if row.limit is not None:
        return f"< {row.limit:g} {row.unit}"
    return f"{row.goal:g} x {item.peers[1]}" if row.goal is not None else ""


def lines(results: list[tuple[Item, dict[str, Result]]], peers: list[str]) -> list[str]:
    """Lay out the table as Markdown with aligned columns."""
    rows: list[list[str]] = [["work", "unit", *peers, "ratio", "goal"]]
    for item, result in results:
        for row in item.rows:
            medians = {name: result[name].median(row.figure) if name in result else None for name in peers}
            found = ratio(row, medians.get("ours"), medians.get(item.peers[1]))
            shown = f"{found:.2f}" if found is not None else ""
            rows.append([row.label, row.unit, *(amount(medians[name]) for name in peers), shown, goal(row, item)])
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    text = [
        "| "
        + " | ".join(align(cell, width, column) for column, (cell, width) in enumerate(zip(row, widths, strict=True)))
        + " |"
        for row in rows
    ]
    rule = "|" + "|".join("-" * (width + 1) + (":" if column > 1 else "-") for column, width in enumerate(widths)) + "|"
    return [text[0], rule, *text[1:]]


def align(cell: str, width: int, column: int) -> str:
    return cell.rjust(width) if column > 1 else cell.ljust(width)


def notes(results: list[tuple[Item, dict[str, Result]]]) -> list[str]:
    """Say what a reader must know beside the figures: failures, losses, and where the generator was the limit."""
    found: list[str] = []
    for item, result in results:
        for name, one in result.items():
            found.extend(f"{item.name} on {name} failed: {error}" for error in dict.fromkeys(one.errors))
            lost = one.median("lost")
            if lost:
                found.append(f"{item.name} on {name} lost {lost:,.0f} messages (median of the runs)")
            busy = one.median("generator_busy")
            broker = one.median("broker_busy")
            if busy is not None and busy > BUSY_SHARE and item.name != "idle":
                beside = f", the broker {broker:.0%}" if broker is not None else ""
                found.append(f"{item.name} on {name}: the generator used {busy:.0%} of a core{beside}")
    return found
