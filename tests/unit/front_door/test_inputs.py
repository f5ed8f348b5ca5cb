"""What people type: campaigns from CSV, prices, rates; wrong input names itself and ends with exit code 2."""

import pytest
import typer

from hellotext_vtex.commands.campaigns import read_campaign, read_csv
from hellotext_vtex.demo import compare
from hellotext_vtex.store_values import (
    read_language,
    read_mapping,
    read_price,
    read_rate,
    read_sms_sender,
    read_vendor,
    read_whatsapp_sender,
)
from schemas.kpis import CampaignKpis

HEAD = "campaign,name,channel,day,recipients,deliveries,cost,currency\n"


def test_a_campaign_is_read_from_csv():
    """Blank means unknown, never 0."""
    rows = read_csv("acme", HEAD + "bf,Black Friday,whatsapp,2026-11-27,1000,980,205.80,BRL\nquiet,,,2026-11-01,,,,\n")

    assert [(row.campaign, row.deliveries, row.cost_micros, row.name) for row in rows] == [
        ("bf", 980, 205_800_000, "Black Friday"), ("quiet", None, None, "quiet"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (HEAD + "bf,x,email,2026-11-27,,,,\n", "line 2: channel"),
        (HEAD + "bf,x,sms,someday,,,,\n", "line 2: day"),
        (HEAD + "bf,x,sms,2026-11-27,,,12,\n", "line 2: a cost needs its currency"),
        (HEAD + "bf,x,sms,2026-11-27,,,much,BRL\n", "line 2: cost: the cost is no number"),
        ("name,price\nx,1\n", "columns must be"),
        ("", "columns must be"),
    ],
)
def test_a_wrong_line_names_itself(text, told, capsys):
    """Nothing is imported then."""
    with pytest.raises(typer.Exit) as ended:
        read_csv("acme", text)

    assert ended.value.exit_code == 2
    assert told in capsys.readouterr().err


def test_prices_and_rates():
    """As docs/commands.md shows them."""
    price = read_price("whatsapp:BR=0.21BRL")
    rate = read_rate("EUR=6.10@2026-11-01")

    assert (price.channel, price.country, price.price_micros, price.currency) == ("whatsapp", "BR", 210_000, "BRL")
    assert (rate.currency, rate.rate, rate.since.isoformat()) == ("EUR", "6.10", "2026-11-01")


@pytest.mark.parametrize("text", ["", "whatsapp", "fax=1BRL", "sms=xBRL", "sms=1B"])
def test_a_wrong_price_ends_with_exit_code_two(text):
    """And says how it is written."""
    with pytest.raises(typer.Exit) as ended:
        read_price(text)

    assert ended.value.exit_code == 2


def _cell(**changes):
    row = {"store": "acme", "campaign": "c", "basis": "total", "date": "all", "currency": "BRL", "sent": 3, "roi": 0.5,
           "updated_at": "2026-11-26T00:00:00Z"}  # fmt: skip
    return CampaignKpis(**{**row, **changes})


def test_the_comparison_finds_every_difference():
    """A wrong figure, a missing cell, a cell too many, null for zero."""
    key = ("acme", "c", "total", "all", "BRL")
    ledger = {key: _cell().model_dump(mode="json")}

    assert compare({key: _cell()}, ledger).differences == ()
    assert [d.figure for d in compare({key: _cell(sent=4)}, ledger).differences] == ["sent"]
    assert [d.figure for d in compare({key: _cell(sent=None)}, ledger).differences] == ["sent"]
    assert [d.figure for d in compare({key: _cell(failed=0)}, ledger).differences] == ["failed"]
    assert compare({}, ledger).differences
    assert compare({key: _cell()}, {}).differences


def test_flags_that_are_not_given_say_nothing():
    """`campaigns set` hands on a None for each of them."""
    unsaid = dict.fromkeys(("name", "channel", "recipients", "deliveries", "cost", "currency"))

    row = read_campaign("acme", {"campaign": "bf", "day": "2026-11-27", **unsaid})

    assert (row.name, row.recipients, row.cost_micros) == ("bf", None, None)


def test_how_customers_are_reached_is_typed_in_one_word_each():
    """An empty sender takes it away, and an empty mapping all of it."""
    assert [read_whatsapp_sender(text) for text in ("+55 (11) 98765-4321", "")] == ["+5511987654321", None]
    assert [read_sms_sender(text) for text in ("Acme Shop", "")] == ["Acme Shop", None]
    assert [read_vendor(name) for name in ("infobip", "auto")] == ["infobip", None]
    assert read_language("pt_BR") == "pt_BR"
    mapping = read_mapping(["document=taxId", "custom.size = Size"], "--infobip-attribute")
    assert mapping == {"document": "taxId", "custom.size": "Size"}
    assert read_mapping([""], "--infobip-attribute") == {}


@pytest.mark.parametrize(
    ("read", "typed", "told"),
    [
        (read_whatsapp_sender, "our number", "as it is registered"),
        (read_sms_sender, "A name of more than 16 letters", "at most 16"),
        (read_vendor, "vonage", "hellotext, infobip or auto"),
        (read_language, "Portuguese", "as pt_BR"),
        (lambda text: read_mapping([text], "--hellotext-property"), "document", "write FIELD=NAME"),
        (lambda text: read_mapping([text], "--hellotext-property"), "=p1", "write FIELD=NAME"),
    ],
)
def test_what_is_no_way_to_reach_anybody_is_told(read, typed, told, capsys):
    """With what to write instead."""
    with pytest.raises(typer.Exit) as ended:
        read(typed)
    assert ended.value.exit_code == 2
    assert told in capsys.readouterr().err
