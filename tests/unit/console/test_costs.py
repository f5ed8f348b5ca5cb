"""The form for what no report tells: what is typed is checked as the import checks it, and stands afterwards."""

import pytest

from connectors.console import costs
from connectors.kafka.errors import BrokerUnreachable
from schemas import topics
from schemas.messages import Campaign
from tests.scenarios.console.shop_rows import row
from tests.stores import a_store
from tests.unit.console.test_pages import read

TYPED = {
    "campaign": "bf", "name": "Black Friday", "channel": "whatsapp", "day": "2026-11-27", "recipients": "1000",
    "deliveries": "980", "cost": "205.80", "currency": "BRL",
}  # fmt: skip


@pytest.fixture
def bench(make_bench, monkeypatch):
    """A store; what is written reaches the read model at once."""
    made = make_bench()
    made.put([row(topics.STORES, "acme", value=a_store())])

    async def write(connection, topic, store, rows):
        made.put([row(topic, store, *parts, value=value) for parts, value in rows.items()])

    monkeypatch.setattr(costs, "write_rows", write)
    return made


def told(bench):
    """Return the campaigns that stand."""
    return list(bench.model.campaigns["acme"].values())


async def test_what_is_typed_stands_and_is_shown(bench):
    """Then the campaign's own page; and the form has it again, to be corrected."""
    answer = await bench.post("/stores/acme/costs", **TYPED)

    assert (answer.status_code, answer.headers["location"]) == (303, "/stores/acme/campaign?name=bf")
    assert told(bench) == [
        Campaign(store="acme", campaign="bf", name="Black Friday", channel="whatsapp", day="2026-11-27",
                 recipients=1000, deliveries=980, cost_micros=205_800_000, currency="BRL"),
    ]  # fmt: skip
    page = await bench.html("/stores/acme/campaign?name=bf")
    assert "/stores/acme/costs?name=bf" in page
    html = await bench.html("/stores/acme/costs?name=bf")
    for value in ("Black Friday", "2026-11-27", "1000", "980", "205.8"):
        assert f'value="{value}"' in html
    assert '<option value="whatsapp" selected>' in html


async def test_blanks_are_unknown_and_the_currency_is_the_store_s(bench):
    """Only the id and the day must be given."""
    await bench.post("/stores/acme/costs", campaign="quiet", day="2026-11-01", cost="12", currency="", name=" ")

    assert told(bench) == [
        Campaign(store="acme", campaign="quiet", name="quiet", day="2026-11-01", cost_micros=12_000_000, currency="BRL")
    ]


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("campaign", "", "Please fill this in."),
        ("day", "27/11/2026", "Give the day as YYYY-MM-DD, such as 2026-11-27."),
        ("day", "", "Please fill this in."),
        ("recipients", "-1", "Input should be greater than or equal to 0."),
        ("recipients", "many", "Input should be a valid integer"),
        ("deliveries", "1e30", "Input should be"),
        ("cost", "205,80", "The cost is no number: write it as 129.90."),
        ("cost", "-3", "The cost must be between 0 and"),
        ("cost", "NaN", "The cost must be between 0 and"),
        ("currency", "BRZ", "&#39;BRZ&#39; is no currency of ISO 4217"),
        ("channel", "fax", "Input should be"),
    ],
)
async def test_a_wrong_value_is_told_at_its_field_and_nothing_is_written(bench, field, value, message):
    """What was typed stands in the form still."""
    answer = await bench.post("/stores/acme/costs", **{**TYPED, field: value})

    assert (answer.status_code, told(bench)) == (422, [])
    assert answer.text.count('class="error"') == 1
    assert message in answer.text
    assert 'value="Black Friday"' in answer.text


async def test_more_deliveries_than_recipients_are_doubted(bench):
    """The two fields are easily taken for each other."""
    answer = await bench.post("/stores/acme/costs", **{**TYPED, "recipients": "980", "deliveries": "1000"})

    assert (answer.status_code, "More deliveries than recipients" in read(answer.text)[1]) == (422, True)


async def test_a_table_is_imported_whole_or_not_at_all(bench):
    """As `campaigns import` takes it, semicolons too; a wrong line is named."""
    head = "campaign;name;day;cost;currency\n"
    wrong = await bench.post("/stores/acme/costs", csv=f"{head}a;A;2026-11-01;1;BRL\nb;B;someday;;\n")
    assert (wrong.status_code, told(bench)) == (422, [])
    assert "Line 3: day: give the day as YYYY-MM-DD" in read(wrong.text)[1]
    assert "a;A;2026-11-01" in wrong.text

    answer = await bench.post("/stores/acme/costs", csv=f"\ufeff{head}a;A;2026-11-01;1;BRL\nb;B;2026-11-02;;\n")
    assert (answer.status_code, answer.headers["location"]) == (303, "/stores/acme")
    assert [(one.campaign, one.cost_micros) for one in told(bench)] == [("a", 1_000_000), ("b", None)]


@pytest.mark.parametrize(("csv", "message"), [
    ("", "The columns must be campaign, name"), ("price\n1", "The columns must be"),
    ("campaign\n", "There is no line below"), ("campaign\na,b", "more values than columns"),
])  # fmt: skip
async def test_what_is_no_table_of_campaigns_is_told(bench, csv, message):
    """With what is expected."""
    answer = await bench.post("/stores/acme/costs", csv=csv)

    assert (answer.status_code, message in read(answer.text)[1]) == (422, True)


async def test_a_broker_that_is_away_is_told(bench, monkeypatch):
    """What was typed is not lost."""

    async def away(*_):
        raise BrokerUnreachable("no broker answered at 127.0.0.1:1")

    monkeypatch.setattr(costs, "write_rows", away)
    answer = await bench.post("/stores/acme/costs", **TYPED)

    assert answer.status_code == 503
    assert "no broker answered" in answer.text
    assert 'value="Black Friday"' in answer.text


async def test_the_form_is_of_a_store_and_names_its_campaigns(bench):
    """A campaign of which only orders are known can be chosen by its id."""
    await bench.html("/stores/nope/costs", 404)
    assert 'value="BRL"' not in await bench.html("/stores/acme/costs")
    assert "/stores/acme/costs" in await bench.html("/stores/acme")
