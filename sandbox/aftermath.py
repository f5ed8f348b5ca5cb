"""What becomes of the day's orders: invoiced, cancelled in whole or in part or for a while, brought back."""

from collections import defaultdict
from datetime import date
from typing import Final

from sandbox.facts import Part, Purchase
from sandbox.stage import Stage
from sandbox.steps import ShopChange, Step, Story, Trigger
from sandbox.verdicts import Court

Bought = tuple[Purchase, Story]
_RETURNS: Final = 4


def settle_orders(stage: Stage) -> None:
    """Append to each order's story how it ends, and note it."""
    plain = [x for x in stage.bought if not x[0].replaced and not x[0].replaces]
    cancelled = _to_cancel(stage, plain)
    for purchase, story in cancelled:
        _cancel(story, purchase.parts)
    left = [x for x in plain if x not in cancelled]
    for purchase, story in [x for x in left if len(x[0].parts) > 1][:1]:
        _cancel(story, purchase.parts[-1:])
    for number, (purchase, story) in enumerate(stage.chance.sample(left, min(_RETURNS, len(left)))):
        _bring_back(stage, story, purchase, late=number == 0)
    for purchase, story in left[:1]:
        story.add(*(ShopChange("change_order", (part.order_id,), {"status": "canceled"}) for part in _kept(purchase)))
        story.add(*(ShopChange("approve_order", (part.order_id,)) for part in _kept(purchase)))
    for purchase, story in [*left, *(x for x in stage.bought if x[0].replaces)]:
        if not any(isinstance(step, ShopChange) and step.method == "invoice_order" for step in story.steps):
            _invoice(story, purchase)


def _to_cancel(stage: Stage, plain: list[Bought]) -> list[Bought]:
    """Return some orders that no campaign explains, and some beside which others of the same campaign and days stand.

    So no cell is left with nothing in it: whether it then exists is not what the day is about.
    """
    court, groups = Court(stage.facts), defaultdict[tuple[str | None, date | None, date | None], list[Bought]](list)
    for purchase, story in plain:
        winner = court.judge(purchase).winner
        key = (winner.campaign, winner.day, court.day(purchase.at)) if winner else (None, None, None)
        groups[key].append((purchase, story))
    crowded = [found for key, found in groups.items() if key[0] is not None and len(found) > 1]
    return [*[found[-1] for found in crowded][:2], *groups[None, None, None][:1]]


def _cancel(story: Story, parts: list[Part]) -> None:
    for part in parts:
        part.cancelled = True
        story.add(ShopChange("cancel_order", (part.order_id,)))


def _kept(purchase: Purchase) -> list[Part]:
    return [part for part in purchase.parts if not part.cancelled]


def _invoice(story: Story, purchase: Purchase) -> None:
    story.add(*(ShopChange("invoice_order", (part.order_id,)) for part in _kept(purchase)))


def _bring_back(stage: Stage, story: Story, purchase: Purchase, *, late: bool) -> None:
    """Some of the goods come back, before or after the invoice.

    A return changes no status, so no feed tells of it (contracts/vtex NOTES 4.4): of a late one VTEX's hook does.
    """
    part = _kept(purchase)[0]
    value, number = part.hundredths // 2 // 100 * 100, f"DEV{part.order_id}"
    purchase.returns[number] = value
    back: list[Step] = [ShopChange("return_order", (part.order_id, value, number))]
    if stage.chance.random() < 0.5:  # noqa: PLR2004  a share: a race writes the same receipt twice (NOTES 4.2)
        back *= 2
    if late:
        _invoice(story, purchase)
        hook = {"Domain": "Marketplace", "OrderId": part.order_id, "State": "invoiced", "LastState": "invoiced"}
        story.add(*back, Trigger("orders", hook))
        return
    story.add(*back)
    _invoice(story, purchase)
