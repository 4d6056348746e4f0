"""The table: one line a figure, ours beside the peers, the ratio and the ratio to reach."""

from bench.items import Item, Row
from bench.runner import Result

Results = list[tuple[Item, dict[str, Result]]]
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
    if row.least is not None:
        return f">= {row.least:g} {row.unit}"
    return f"{row.goal:g} x {item.against or item.rival(row)}" if row.goal is not None else ""


def compared(item: Item, row: Row, figure: str, name: str, results: Results) -> float | None:
    """Return how many times better a broker is at an item than at the item it is compared with."""
    found = {other.name: result[name].median(figure) for other, result in results if name in result}
    return ratio(row, found.get(item.name), found.get(item.against))


def favour(item: Item, row: Row, figure: str, results: Results) -> str:
    """Return how many times better ours is than what it is compared with, or nothing where that is not known."""
    if item.against:
        found = compared(item, row, figure, "ours", results)
    else:
        medians = {
            name: one.median(figure) for other, result in results if other is item for name, one in result.items()
        }
        found = ratio(row, medians.get("ours"), medians.get(item.rival(row)))
    return f"{found:.2f}" if found is not None else ""


def lines(results: Results, peers: list[str]) -> list[str]:
    """Lay out the table as Markdown with aligned columns."""
    rows: list[list[str]] = [["work", "unit", *peers, "ratio", "goal", "by CPU"]]
    for item, result in results:
        for row in item.rows:
            medians = [amount(result[name].median(row.figure) if name in result else None) for name in peers]
            is_rate = row.figure == "value" and not row.lower_is_better
            by_cpu = favour(item, row, "per_cpu_s", results) if is_rate else ""
            rows.append(
                [row.label, row.unit, *medians, favour(item, row, row.figure, results), goal(row, item), by_cpu]
            )
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


def notes(results: Results) -> list[str]:
    """Say what a reader must know beside the figures: failures, losses, and where the generator was the limit."""
    found: list[str] = []
    for item, result in results:
        for name, one in result.items():
            found.extend(f"{item.name} on {name} failed: {error}" for error in dict.fromkeys(one.errors))
            if item.against and name != "ours":
                for row in item.rows:
                    share = compared(item, row, row.figure, name, results)
                    if share is not None:
                        found.append(f"{item.name} on {name}: {share:.2f} x {item.against}")
            lost = one.median("lost")
            if lost:
                found.append(f"{item.name} on {name} lost {lost:,.0f} messages (median of the runs)")
            busy = one.median("generator_busy")
            broker = one.median("broker_busy")
            if busy is not None and busy > BUSY_SHARE and item.name != "idle":
                beside = f", the broker {broker:.0%}" if broker is not None else ""
                found.append(f"{item.name} on {name}: the generator used {busy:.0%} of a core{beside}")
    return found
