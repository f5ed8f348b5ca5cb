"""What shoppers do: each role is one shopper's day, and one way in which an order comes to its explanation.

Every outcome is determined by docs/kpis.md. `ROLES` lists those that a customer can play, the most telling first.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from sandbox.facts import Message, Purchase
from sandbox.people import Person
from sandbox.stage import Stage
from sandbox.steps import ShopChange

Role = Callable[[Stage, Person], None]


def buys_after_click(stage: Stage, person: Person) -> None:
    """Open the offer, follow its link, look around, log in and buy: the click explains it."""
    message = stage.send("offer", person, seen=True)
    stage.click("offer", message)
    story = stage.story("buys after a click")
    browser = stage.browser(story, _after(message, minutes=4))
    browser.land(stage.name("offer"), "whatsapp")
    lines = stage.basket()
    browser.look_at(lines[0].product)
    browser.put_in_cart(lines[0])
    browser.identify(person)
    browser.begin_checkout(lines)
    browser.wait(hours=stage.chance.choice((0.05, 0.1, 6, 13)))
    utm = ("hellotext", "whatsapp", stage.name("offer")) if stage.chance.random() < 0.5 else None  # noqa: PLR2004  a share
    checkout = stage.checkout(person, browser.at, lines, cart=browser.cart, utm=utm)
    stage.buy(story, checkout, browser.visit.session)
    browser.order_placed(checkout, reloads=stage.chance.choice((0, 0, 2)))
    browser.leave()


def buys_after_delivery(stage: Stage, person: Person) -> None:
    """Read the SMS, type the shop's address and buy: only the delivery explains it."""
    message = stage.send("coupon", person)
    story = stage.story("buys after a delivery")
    browser = stage.browser(story, _after(message, minutes=40))
    browser.open("/")
    lines = stage.basket()
    browser.look_at(lines[0].product)
    browser.put_in_cart(lines[0])
    browser.begin_checkout(lines)
    browser.identify(person, by_email=True)
    browser.wait(hours=stage.chance.choice((0.03, 0.3, 9)))
    checkout = stage.checkout(person, browser.at, lines, cart=browser.cart, mask="soft", utm=("direct", "", ""))
    stage.buy(story, checkout, browser.visit.session)
    browser.order_placed(checkout)
    browser.leave()


def buys_by_phone(stage: Stage, person: Person) -> None:
    """Call the shop after the message: no page ever knew of it, and the order hides the e-mail."""
    message = stage.send("offer", person, seen=True)
    story = stage.story("buys by phone")
    stage.buy(story, stage.checkout(person, _after(message, hours=stage.chance.uniform(0.5, 14)), mask="hard"))


def comes_from_elsewhere(stage: Stage, person: Person) -> None:
    """Follow the offer's link, and buy later through an advertisement: the external source explains it."""
    message = stage.send("offer", person)
    stage.click("offer", message)
    story = stage.story("comes from elsewhere")
    browser = stage.browser(story, _after(message, minutes=9))
    browser.land(stage.name("offer"), "whatsapp")
    browser.identify(person)
    browser.wait(hours=3)
    browser.arrive("google", "cpc")
    lines = stage.basket()
    browser.put_in_cart(lines[0])
    checkout = stage.checkout(person, browser.at, lines, cart=browser.cart, utm=("google", "cpc", "brand"))
    stage.buy(story, checkout, browser.visit.session)
    browser.order_placed(checkout)
    browser.leave()


def buys_unprompted(stage: Stage, person: Person) -> None:
    """Buy without any message: nothing explains it."""
    story = stage.story("buys unprompted")
    browser = stage.browser(story, stage.after(stage.chance.uniform(3, 17)))
    browser.open("/")
    lines = stage.basket()
    browser.look_at(lines[0].product)
    browser.identify(person)
    checkout = stage.checkout(person, browser.at, lines, cart=browser.cart)
    stage.buy(story, checkout, browser.visit.session)
    browser.order_placed(checkout)
    browser.leave()


def identifies_late(stage: Stage, person: Person) -> None:
    """Follow the link on the telephone, buy at the desk, log in on the telephone in the evening."""
    message = stage.send("offer", person)
    story = stage.story("identifies late")
    mobile = stage.browser(story, _after(message, minutes=15))
    mobile.land(stage.name("offer"), "whatsapp")
    mobile.look_at(stage.basket()[0].product)
    mobile.leave()
    desk = stage.browser(story, mobile.at + timedelta(hours=1))
    desk.open("/")
    desk.identify(person)
    desk.wait(minutes=6)
    checkout = stage.checkout(person, desk.at, cart=desk.cart)
    stage.buy(story, checkout, desk.visit.session)
    desk.order_placed(checkout)
    desk.leave()
    mobile.at = desk.at + timedelta(hours=2)
    mobile.open("/account")
    mobile.identify(person)
    mobile.leave()


def reads_newsletter(stage: Stage, person: Person) -> None:
    """Land from a campaign that Hellotext sent, of which no report tells, and buy on a second visit."""
    story = stage.story("reads the newsletter")
    browser = stage.browser(story, stage.after(stage.chance.uniform(2.2, 5)))
    browser.land(stage.name("news"), "whatsapp")
    browser.look_at(stage.basket()[0].product)
    browser.leave()
    browser.wait(hours=4)
    # The eternal cookie still carries the campaign: the second visit is no second click.
    browser.open("/")
    lines = stage.basket()
    browser.put_in_cart(lines[0])
    browser.begin_checkout(lines)
    checkout = stage.checkout(person, browser.at, lines, cart=browser.cart)
    stage.buy(story, checkout, browser.visit.session)
    browser.order_placed(checkout)
    browser.leave()


def blocks_the_pixel(stage: Stage, person: Person) -> None:
    """Come from the newsletter with a blocker: only VTEX noticed the source."""
    story = stage.story("blocks the pixel")
    utm = ("hellotext", "whatsapp", stage.name("news"))
    stage.buy(story, stage.checkout(person, stage.after(stage.chance.uniform(3, 6)), utm=utm))


def has_an_old_cookie(stage: Stage, person: Person) -> None:
    """Bring a cookie of nine days ago: the click is long past, and explains nothing."""
    story = stage.story("has an old cookie")
    browser = stage.browser(story, stage.after(stage.chance.uniform(4, 12)))
    browser.remember(stage.name("spring"), "sms", browser.at - timedelta(days=9))
    browser.open("/")
    browser.identify(person)
    checkout = stage.checkout(person, browser.at, cart=browser.cart)
    stage.buy(story, checkout, browser.visit.session)
    browser.order_placed(checkout)
    browser.leave()


def refuses_consent(stage: Stage, person: Person) -> None:
    """Refuse tracking: the page's events are worth nothing, the delivered message is."""
    message = stage.send("coupon", person)
    story = stage.story("refuses consent")
    browser = stage.browser(story, _after(message, minutes=20), consent="denied")
    browser.land(stage.name("coupon"), "sms")
    browser.identify(person)
    browser.wait(minutes=5)
    checkout = stage.checkout(person, browser.at, cart=browser.cart)
    stage.buy(story, checkout)
    browser.order_placed(checkout)
    browser.leave()


def clicks_twice(stage: Stage, person: Person) -> None:
    """Follow the offer's link, then the coupon's: the most recent click wins."""
    first = stage.send("offer", person, seen=True)
    second = stage.send("coupon", person)
    stage.click("coupon", second, f"{stage.scene.origin}/a")
    stage.click("coupon", second, f"{stage.scene.origin}/b")
    story = stage.story("clicks twice")
    browser = stage.browser(story, _after(first, minutes=11))
    browser.land(stage.name("offer"), "whatsapp")
    browser.leave()
    browser.at = _after(second, minutes=7)
    browser.land(stage.name("coupon"), "sms")
    browser.identify(person)
    lines = stage.basket(sellers=2)
    browser.begin_checkout(lines)
    checkout = stage.checkout(person, browser.at, lines, cart=browser.cart)
    stage.buy(story, checkout, browser.visit.session)
    browser.order_placed(checkout)
    browser.leave()


def leaves_a_cart(stage: Stage, person: Person) -> None:
    """Leave a cart, be reminded by WhatsApp, come back by its link and buy."""
    story = stage.story("leaves a cart")
    browser = stage.browser(story, stage.after(stage.chance.uniform(2, 9)))
    browser.open("/")
    lines = stage.basket(sellers=3)
    for line in lines:
        browser.put_in_cart(line)
    browser.identify(person)
    browser.leave()
    message = stage.send("cart", person, at=browser.at + timedelta(hours=1), seen=True)
    browser.at = _after(message, minutes=25)
    browser.land(stage.name("cart"), "whatsapp")
    browser.begin_checkout(lines)
    browser.wait(minutes=4)
    checkout = stage.checkout(person, browser.at, lines, cart=browser.cart)
    stage.buy(story, checkout, browser.visit.session)
    browser.order_placed(checkout)
    browser.leave()


def only_looks(stage: Stage, person: Person) -> None:
    """Follow a link, look at some products, and go."""
    which, channel = stage.chance.choice((("offer", "whatsapp"), ("coupon", "sms")))
    message = stage.send(which, person, seen=True)
    if stage.chance.random() < 0.5:  # noqa: PLR2004  a share
        stage.click(which, message)
    browser = stage.browser(stage.story("only looks"), _after(message, minutes=stage.chance.uniform(2, 90)))
    browser.land(stage.name(which), channel)
    for line in stage.basket(sellers=2):
        browser.look_at(line.product)
    if stage.chance.random() < 0.6:  # noqa: PLR2004  a share
        browser.identify(person)
    browser.leave()


def was_told_early(stage: Stage, person: Person) -> None:
    """Buy thirty hours after a delivery: too late for it to explain anything."""
    message = stage.send("early", person)
    story = stage.story("was told early")
    stage.buy(story, stage.checkout(person, _after(message, hours=stage.chance.uniform(31, 40)), mask="soft"))


def gets_it_twice(stage: Stage, person: Person) -> None:
    """Get the offer again in the afternoon; the link followed is the second message's."""
    stage.send("offer", person, seen=True)
    again = stage.send("offer", person, at=stage.after(stage.chance.uniform(9, 11)))
    story = stage.story("gets it twice")
    browser = stage.browser(story, _after(again, minutes=5))
    browser.land(stage.name("offer"), "whatsapp")
    browser.identify(person)
    checkout = stage.checkout(person, browser.at, cart=browser.cart)
    stage.buy(story, checkout, browser.visit.session)
    browser.order_placed(checkout)
    browser.leave()


def changes_the_order(stage: Stage, person: Person) -> None:
    """Buy after the offer, and have the order replaced by another one."""
    message = stage.send("offer", person)
    story = stage.story("changes the order")
    first = stage.buy(story, stage.checkout(person, _after(message, hours=1)))
    _replace(stage, first, person)


def buys_as_a_guest(stage: Stage, person: Person) -> None:
    """Be on the list without having an account: the phone typed at the checkout tells who it was."""
    message = stage.send("coupon", person)
    story = stage.story("buys as a guest")
    browser = stage.browser(story, _after(message, minutes=12))
    browser.land(stage.name("coupon"), "sms")
    lines = stage.basket()
    browser.begin_checkout(lines)
    browser.identify(person, by_email=True)
    checkout = stage.checkout(person, browser.at, lines, cart=browser.cart, mask="none")
    stage.buy(story, checkout, browser.visit.session)
    browser.order_placed(checkout)
    browser.leave()


def stays_unknown(stage: Stage, person: Person) -> None:
    """Buy where nothing tells who it was: the browser and its checkout are the only link to the order."""
    story = stage.story("stays unknown")
    browser = stage.browser(story, stage.after(stage.chance.uniform(3, 14)))
    browser.land(stage.name("journey"), "sms")
    lines = stage.basket()
    browser.begin_checkout(lines)
    browser.wait(minutes=2)
    checkout = stage.checkout(person, browser.at, lines, cart=browser.cart, nameless=True)
    stage.buy(story, checkout, browser.visit.session)
    if stage.chance.random() < 0.5:  # noqa: PLR2004  a share: else the cart alone joins them
        browser.order_placed(checkout, known=False)
    browser.leave()


ROLES: Final[tuple[Role, ...]] = (
    buys_after_click, buys_after_delivery, buys_by_phone, comes_from_elsewhere, buys_unprompted, identifies_late,
    reads_newsletter, blocks_the_pixel, has_an_old_cookie, refuses_consent, clicks_twice, leaves_a_cart, only_looks,
    was_told_early, gets_it_twice, changes_the_order, buys_after_click, buys_after_delivery, buys_after_click,
    only_looks, buys_after_delivery,
)  # fmt: skip
GUEST_ROLES: Final[tuple[Role, ...]] = (buys_as_a_guest, stays_unknown, stays_unknown, buys_as_a_guest)


def _replace(stage: Stage, first: Purchase, person: Person) -> None:
    """Let another order take the place of a purchase: a story that goes on in the first one's."""
    story = stage.bought[-1][1]
    second = stage.checkout(person, first.at + timedelta(hours=3))
    stage.buy(story, second, replaces=first)
    first.replaced = True
    story.add(*(ShopChange("change_order", (part.order_id,), {"status": "replaced"}) for part in first.parts))


def _after(message: Message, **span: float) -> datetime:
    return (message.times("delivered")[0] + timedelta(**span)).replace(microsecond=0)
