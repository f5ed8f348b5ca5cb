"""What reads and orders tell of a customer, and the row that follows from all of them. Pure.

A customer is one row of state, a function of the set of what was read:

    told, place   what CL documents told, what AD documents told (streams/vtex_rules/known.py)
    source        VTEX's newest time of the document, as text, behind its ticks
    life, gone    ticks: until when it was seen, since when it is gone; gone >= life: deleted
    orders        what orders told of a buyer whom no document shows: a provisional customer
    ordered       the newest order's time, as `source`
    by            [rank, id] of the customer who turned out to be this provisional one
    replaced_by   the one who stood for `by` when that was found out
    version       how often a row was published
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from connectors.vtex.texts import is_nothing
from schemas.clock import to_text
from schemas.personal import normal_customer
from schemas.vtex import Buyer, Customer, CustomerRead
from streams.vtex_rules.contacts import Hasher, is_relayed, usable_email, usable_phone
from streams.vtex_rules.known import keep, merge, nothing_known, since
from streams.vtex_rules.versions import TICKS_IN_A_MS, Version

State = dict[str, Any]
Entry = list[Any]
"""[rank, id]: how well known a customer is (streams/vtex_rules/customer_links.py), and who."""

_TEXTS: Final = ("first_name", "last_name", "document", "birth_date", "gender", "locale")
TRACES: Final = frozenset({"user_id", "email_hash", "phone_hash"})
"""What outlives a deletion: it joins orders and touches, and tells nothing."""
_FIELDS: Final = tuple(
    name for name in Customer.model_fields if name not in {"store", "customer", "version", "changed", "updated_at"}
)
NOWHEN: Final = [0, ""]
_FROM_ORDERS: Final = frozenset({"orders", "ordered", "by", "replaced_by"})
_NOT_COMPARED: Final = "source_version"


def _text(value: str | None) -> str | None:
    """Return a value without blanks around it; None when it tells nothing: a store's own fields come as they were."""
    return None if value is None or is_nothing(value) else value.strip() or None


def _contacts(email: str | None, phone: str | None, hasher: Hasher) -> dict[str, Any]:
    return {
        "email": email, "email_hash": hasher("email", email), "phone": phone, "phone_hash": hasher("phone", phone),
    }  # fmt: skip


def told_by(read: CustomerRead, country: str, hasher: Hasher, nulls_erase: Iterable[str] = ()) -> dict[str, Any]:
    """Return what a CL document tells: usable values only.

    Args:
        read: the document.
        country: for phones without a prefix.
        hasher: the store's keyed hash.
        nulls_erase: fields whose null means that the value is gone; all others keep what they had (NOTES 2.5).
    """
    # The account's phone stands in homePhone, whatever its name says (NOTES 2.5).
    phones = (read.home_phone, read.phone, read.cell_phone, read.business_phone)
    phone = next((normal for each in phones if (normal := usable_phone(each, country))), None)
    told = _contacts(usable_email(read.email), phone, hasher)
    told |= {name: _text(getattr(read, name)) for name in _TEXTS}
    told |= {"user_id": normal_customer(read.user_id), "newsletter_opt_in": read.newsletter_opt_in}
    told |= {f"custom.{name}": _usable(value) for name, value in read.custom.items()}
    gone = {name: None for field in nulls_erase for name in (field, f"{field}_hash") if told.get(name) is None}
    return gone | {name: value for name, value in told.items() if value is not None}


def _usable(value: Any) -> Any:
    return _text(value) if isinstance(value, str) else value


def place_of(read: CustomerRead) -> dict[str, Any]:
    """Return what a read tells of the customer's address; nothing when it did not look."""
    usable = {name: _usable(value) for name, value in (read.address or {}).items()}
    address = {name: value for name, value in usable.items() if value is not None}
    return {"address": address} if address else {}


def told_by_order(buyer: Buyer, opt_in: bool | None, country: str, hasher: Hasher) -> dict[str, Any]:
    """Return what an order tells of its buyer; nothing when that is no way to reach them."""
    email = usable_email(buyer.email)
    phone = None if is_relayed(buyer.email) else usable_phone(buyer.phone, country)
    if email is None and phone is None:
        return {}
    user_id = normal_customer(buyer.user_profile_id)
    told = _contacts(email, phone, hasher)
    told |= {name: _text(getattr(buyer, name)) for name in ("first_name", "last_name", "document")}
    # A key must not hold an address, so one that passes for an id is none.
    told |= {"user_id": None if user_id and "@" in user_id else user_id, "newsletter_opt_in": opt_in}
    return {name: value for name, value in told.items() if value is not None}


def after_read(state: State, told: Mapping[str, Any], place: Mapping[str, Any], source: str, at: Version) -> State:
    """Return a customer's state after a read of the document.

    Args:
        state: before.
        told: of `told_by`.
        place: of `place_of`.
        source: VTEX's time, as it writes it.
        at: the read's version.
    """
    moment, seen = at[0], at[1]
    gone = state.get("gone", 0)
    return {
        **_without_orders(state),
        "told": keep(merge(state.get("told") or nothing_known(), told, at), TRACES, gone),
        # An address has its own time, which the document does not tell: the later look wins.
        "place": keep(merge(state.get("place") or nothing_known(), place, [seen, *at]), frozenset(), gone),
        "source": max(state.get("source", NOWHEN), [moment, source]),
        # Both clocks must say that it was there after the deletion: an index shows what is gone, a clock may be late.
        "life": max(state.get("life", 0), min(moment, seen)),
    }


def after_deletion(state: State, moment: int) -> State:
    """Return a customer's state after it was found gone at a moment, in ticks.

    Values last told before are let go; ids and hashes stay.
    """
    gone = max(state.get("gone", 0), moment)
    kept = {**_without_orders(state), "gone": gone}
    if "told" in kept:
        kept |= {"told": keep(kept["told"], TRACES, gone), "place": keep(kept["place"], frozenset(), gone)}
    return kept


def _without_orders(state: State) -> State:
    return {name: value for name, value in state.items() if name not in _FROM_ORDERS}


def after_order(state: State, told: Mapping[str, Any], source: str, at: Version) -> State:
    """Return a provisional customer's state after an order told of them; `source` is the order's time, as text."""
    return {
        **state,
        "orders": merge(state.get("orders") or nothing_known(), told, at),
        "ordered": max(state.get("ordered", NOWHEN), [at[0], source]),
    }


def replaced(state: State, by: Entry, now_by: str) -> State:
    """Return a provisional customer's state when somebody better known turns out to be them.

    Args:
        state: before.
        by: rank and id of the better known.
        now_by: who stands for that one today.
    """
    kept = {name: value for name, value in state.items() if name != "orders"}
    return {**kept, "by": by, "replaced_by": now_by}


def is_real(state: State | None) -> bool:
    """Say whether VTEX has, or had, a document of the customer."""
    return state is not None and ("told" in state or "gone" in state)


def content_of(state: State) -> dict[str, Any] | None:
    """Return what the customer's row says, without its version; None when there is nothing to say."""
    ordered = state.get("ordered", NOWHEN)[1]
    if is_real(state):
        source = state.get("source", NOWHEN)[1] or to_text(state.get("gone", 0) // TICKS_IN_A_MS)
        return {**_real(state), "source_version": source}
    if "by" in state:
        return {"deleted": True, "provisional": True, "replaced_by": state["replaced_by"], "source_version": ordered}
    if "orders" in state:
        return {**_values(state["orders"]["told"]), "provisional": True, "source_version": ordered}
    return None


def _real(state: State) -> dict[str, Any]:
    told, gone = state.get("told") or nothing_known(), state.get("gone", 0)
    if gone and gone >= state.get("life", 0):
        return {"deleted": True, **{name: value for name, value in told["told"].items() if name in TRACES}}
    return _values({**since(told, gone), **since(state["place"], gone)})


def _values(known: Mapping[str, Any]) -> dict[str, Any]:
    values = {name: value for name, value in known.items() if value is not None and not name.startswith("custom.")}
    custom = {
        name.removeprefix("custom."): value
        for name, value in sorted(known.items())
        if name.startswith("custom.") and value is not None
    }
    return {**values, "custom": custom} if custom else values


def changed_between(before: Mapping[str, Any] | None, after: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names of the fields that differ, in the row's own order."""
    before = before or {}
    return tuple(
        name for name in _FIELDS if name != _NOT_COMPARED and before.get(name) != after.get(name)
    )  # fmt: skip
