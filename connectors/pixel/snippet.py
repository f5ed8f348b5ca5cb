"""What a merchant pastes into the shop, made for one store: the wizard shows it (docs/collector.md). Pure.

`live_page.check_page` says afterwards whether it stands in the page that visitors get.
"""

from dataclasses import dataclass
from html import escape
from typing import Final

import orjson

from schemas.stores import StoreConnection

PIXEL_PATH: Final = "/v1/pixel.js"
CHECKOUT_PATH: Final = "/v1/checkout.js"
_CHECKOUT: Final = """\
(function () {{
  var script = document.createElement("script");
  script.src = {src};
  script.dataset.business = {business};{consent}
  document.head.appendChild(script);
}})();
"""


@dataclass(frozen=True, slots=True)
class Snippets:
    """What to paste, and where.

    Attributes:
        pixel: one line for the `<head>` of every page of the shop.
        checkout: for the end of `checkout6-custom.js`: pixel apps do not run in VTEX's checkout.
        client: for pages that keep Hellotext's own client: the call that points it at the collector.
    """

    pixel: str
    checkout: str
    client: str


@dataclass(frozen=True, slots=True)
class Hooks:
    """Addresses that vendors call; each call carries the store's hook secret (`X-Hook-Secret`, or `?token=`)."""

    customers: str
    orders: str
    reports: str


def snippets_for(connection: StoreConnection, collector_url: str) -> Snippets:
    """Return a store's snippets.

    Args:
        connection: the store; under `gdpr` its pages are silent until consent is granted.
        collector_url: where browsers reach the collector, such as `https://collect.shop.example`.
    """
    root, business = collector_url.rstrip("/"), connection.hellotext.business_id
    silent = connection.privacy == "gdpr"
    attribute = ' data-consent="required"' if silent else ""
    src = escape(root + PIXEL_PATH)
    return Snippets(
        pixel=f'<script async src="{src}" data-business="{escape(business)}"{attribute}></script>',
        checkout=_CHECKOUT.format(
            src=_literal(root + CHECKOUT_PATH),
            business=_literal(business),
            consent='\n  script.dataset.consent = "required";' if silent else "",
        ),
        client=f"Hellotext.initialize({_literal(business)}, {{ apiRoot: {_literal(root + '/v1')} }});",
    )


def hooks_for(connection: StoreConnection, collector_url: str, secret: str | None = None) -> Hooks:
    """Return the addresses that VTEX's triggers and hook, and Infobip's webhooks, are to be given.

    Args:
        connection: the store.
        collector_url: where vendors reach the collector.
        secret: the store's opened hook secret, for callers that can set no header: it then stands in the addresses.
    """
    root, store = collector_url.rstrip("/"), connection.store
    token = f"?token={secret}" if secret is not None else ""
    return Hooks(
        customers=f"{root}/v1/triggers/{store}/customers{token}",
        orders=f"{root}/v1/triggers/{store}/orders{token}",
        reports=f"{root}/v1/reports/infobip/{store}{token}",
    )


def _literal(text: str) -> str:
    """Return a JavaScript string; `<` is written so that no text can end a script element."""
    return orjson.dumps(text).decode().replace("<", "\\u003c")
