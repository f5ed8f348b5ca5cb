import asyncio
import gzip
import hmac
from base64 import b64decode, b64encode
from datetime import UTC, datetime, timedelta

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from connectors.pixel.limits import Bucket
from schemas.events import CloudEvent
from schemas.fates import DeadLetter
from schemas.pixel import Identification, TrackingEvent
from schemas.stores import Former, HellotextAccess
from tests.unit.pixel.conftest import store_connection
from tests.unit.pixel.test_wire import FIELDS, JSON

EVENTS = "/v1/track/events"
PATHS = st.sampled_from(
    (
        EVENTS,
        "/v1/track/batch",
        "/v1/public/acks",
        "/v1/public/identifications",
        "/v1/track/sessions",
        "/v1/reports/infobip/acme?token=hook-secret",
        "/v1/triggers/acme/customers?token=hook-secret",
        "/v1/triggers/acme/orders?token=hook-secret",
        "/v1/nothing",
        "/v1/public/businesses/BID123",
    )
)


def read_error(reply) -> dict:
    """The one entry of an error answer, which any page must be able to read."""
    (entry,) = reply.json()["errors"]
    assert {"type", "parameter", "description", "message"} <= set(entry)
    assert reply.headers[b"access-control-allow-origin"] == b"*"
    return entry


class TestAnyInput:
    @settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
    @given(
        path=PATHS,
        method=st.sampled_from(("POST", "GET", "PATCH", "OPTIONS")),
        body=st.binary(max_size=60)
        | JSON.map(orjson.dumps)
        | st.dictionaries(FIELDS, JSON, max_size=8).map(orjson.dumps)
        | st.lists(st.dictionaries(FIELDS, JSON, max_size=8), max_size=4).map(orjson.dumps),
        encoding=st.sampled_from(("", "gzip", "deflate", "br")),
        authorization=st.sampled_from(("Bearer BID123", "Bearer server-token-of-acme", "", "Basic !!", "Bearer nope")),
    )
    async def test_no_input_gives_a_5xx_or_an_unreadable_answer(
        self, make_bench, *, path, method, body, encoding, authorization
    ):
        """Whatever comes: one answer, JSON, with CORS; and what is accepted fits its topic's model."""
        bench = make_bench()

        reply = await bench.call(method, path, body, {"content-encoding": encoding, "authorization": authorization})

        # Paths that are not ours under /v1/public are Hellotext's to answer, and it is not there.
        passed_on = path.startswith("/v1/public/") and reply.status == 502
        assert reply.status < 500 or (passed_on and read_error(reply)["type"] == "upstream_unreachable")
        assert reply.headers[b"access-control-allow-origin"] == b"*"
        if method != "OPTIONS":
            assert isinstance(reply.json(), dict)
        for event in bench.topic("pixel.events"):
            CloudEvent[TrackingEvent].model_validate(event)
        for identification in bench.topic("pixel.identities"):
            Identification.model_validate(identification)


class TestEvents:
    async def test_success_is_exactly_200_received(self, make_bench):
        """202 or an empty body would be a failure to the client (A3.1)."""
        reply = await make_bench().post(EVENTS, {"action": "page.viewed", "session": "S"})

        assert (reply.status, reply.body) == (200, b'{"status":"received"}')
        assert reply.headers[b"content-type"] == b"application/json"

    async def test_malformed_json_is_a_dead_letter(self, make_bench):
        """Its bytes are kept, so that somebody can look."""
        bench = make_bench()
        reply = await bench.call("POST", EVENTS, b'{"action": ')

        assert (reply.status, read_error(reply)["type"]) == (400, "invalid")
        (row,) = bench.topic("dead.letters")
        letter = DeadLetter.model_validate(row)
        assert (letter.store, letter.step, letter.reason) == ("acme", "collector", "malformed")
        assert b64decode(letter.value) == b'{"action": '

    async def test_an_action_that_is_no_name_is_refused_and_kept(self, make_bench):
        """Numbers are read where an id or a reference stands, but no action is called "5" (A3.1, A7)."""
        bench = make_bench()
        refused = await bench.post(EVENTS, {"action": 5, "session": "S"})
        taken = await bench.post(EVENTS, {"action": "product.viewed", "session": 7, "object": 5})

        error = read_error(refused)
        assert (refused.status, error["type"], error["parameter"]) == (422, "parameter_invalid", "action")
        assert [letter["detail"] for letter in bench.topic("dead.letters")] == [error["description"]]
        assert taken.status == 200
        (event,) = bench.topic("pixel.events")
        assert (event["data"]["session"], event["data"]["object"]) == ("7", "5")

    async def test_an_unknown_business_is_401_and_keeps_nothing(self, make_bench):
        """Not even a dead letter: nobody could be told of it."""
        bench = make_bench()
        reply = await bench.call("POST", EVENTS, b"{bad", {"authorization": "Bearer nope"})

        assert (reply.status, read_error(reply)["parameter"]) == (401, "authorization")
        assert bench.kept() == []

    async def test_while_the_stores_are_unknown_nobody_is(self, make_bench):
        """503 with Retry-After, not 401: the collector cannot know yet."""
        bench = make_bench()
        bench.app._intake.admission = None
        reply = await bench.post(EVENTS, {"action": "x"})

        assert (reply.status, reply.headers[b"retry-after"]) == (503, b"5")

    async def test_a_10_mb_body_is_413(self, make_bench):
        """Told by its length, before it is read; and again when it lies."""
        bench = make_bench()
        told = await bench.call("POST", EVENTS, b"", {"content-length": "10000000"})
        lied = await bench.call("POST", EVENTS, b"x" * 10_000_000)
        bomb = await bench.call("POST", EVENTS, gzip.compress(b"0" * 10_000_000), {"content-encoding": "gzip"})

        assert [reply.status for reply in (told, lied, bomb)] == [413] * 3
        assert bench.kept() == []

    async def test_gzip_and_beacons(self, make_bench):
        """A beacon is text/plain and has no header: the business stands in its body or address."""
        bench = make_bench()
        packed = gzip.compress(b'{"action":"a"}')
        replies = [
            await bench.call("POST", EVENTS, packed, {"content-encoding": "gzip"}),
            await bench.call(
                "POST",
                EVENTS,
                b'{"action":"b","business":"BID123"}',
                {"authorization": "", "content-type": "text/plain"},
            ),
            await bench.call("POST", f"{EVENTS}?business=BID123", b'{"action":"c"}', {"authorization": ""}),
        ]

        assert [reply.status for reply in replies] == [200] * 3
        assert [event["data"]["action"] for event in bench.topic("pixel.events")] == ["a", "b", "c"]

    async def test_a_body_in_two_compressed_pieces_is_refused(self, make_bench):
        """What stands in the second would be lost, and was answered 200."""
        body = gzip.compress(b'{"action":"a"}') + gzip.compress(b" ")
        reply = await make_bench().call("POST", EVENTS, body, {"content-encoding": "gzip"})

        assert (reply.status, read_error(reply)["type"]) == (415, "invalid")

    async def test_the_rate_of_a_store_is_bounded(self, make_bench):
        """429 says when to come back; another store is not touched."""
        other = store_connection(store="other").model_copy(
            update={"hellotext": store_connection().hellotext.model_copy(update={"business_id": "OTHER1"})}
        )
        bench = make_bench(store_connection(), other, rate=0.5, burst=2)
        replies = [await bench.post(EVENTS, {"action": "x"}) for _ in range(3)]
        elsewhere = await bench.post(EVENTS, {"action": "x"}, {"authorization": "Bearer OTHER1"})

        assert [reply.status for reply in replies] == [200, 200, 429]
        assert int(replies[2].headers[b"retry-after"]) in {1, 2}
        assert elsewhere.status == 200

    async def test_a_foreign_origin_is_refused(self, make_bench):
        """Where the store names its origins; its back end has none."""
        bench = make_bench(store_connection(origins=("https://shop.example",)))
        own = await bench.post(EVENTS, {"action": "x"})
        foreign = await bench.post(EVENTS, {"action": "x"}, {"origin": "https://evil.example"})
        back_end = await bench.post(
            EVENTS, {"action": "x"}, {"origin": "", "authorization": "Bearer server-token-of-acme"}
        )

        assert [reply.status for reply in (own, foreign, back_end)] == [200, 403, 200]
        assert bench.topic("pixel.events")[1]["data"]["sent_by"] == "server"

    async def test_no_whole_address_is_kept(self, make_bench):
        """Neither the peer's nor what a proxy of ours tells."""
        bench = make_bench(trusted_proxies=1)
        await bench.call("POST", EVENTS, b'{"action":"x"}', {"x-forwarded-for": "1.1.1.1, 2001:db8:1:2::3"})

        (placed,) = bench.kept()
        assert b"2001:db8:1::/48" in placed.record.value
        assert b"203.0.113" not in placed.record.value
        assert b"db8:1:2" not in placed.record.value

    async def test_each_proxy_may_write_a_line_of_its_own(self, make_bench):
        """As HAProxy does, instead of adding to the line that came."""
        bench = make_bench(trusted_proxies=2)
        lines = {"X-Forwarded-For": "9.9.9.9, 198.51.100.23", "x-forwarded-for": "10.0.0.2"}
        await bench.call("POST", EVENTS, b'{"action":"x"}', lines, client=("10.0.0.3", 1))

        (event,) = bench.topic("pixel.events")
        assert event["data"]["device"]["network"] == "198.51.100.0/24"

    async def test_global_privacy_control_is_a_denial(self, make_bench):
        """Unless this very page was told otherwise."""
        bench = make_bench()
        await bench.post(EVENTS, {"action": "x", "session": "S"}, {"sec-gpc": "1"})

        (event,) = bench.topic("pixel.events")
        assert (event["data"].get("session"), event["data"]["consent"]) == (None, "denied")

    async def test_an_idempotency_key_is_the_events_id(self, make_bench):
        """As the later popups send it (A2)."""
        bench = make_bench()
        await bench.post(EVENTS, {"action": "x"}, {"idempotency-key": "k-1"})

        assert bench.topic("pixel.events")[0]["id"] == "k-1"

    async def test_a_full_spool_is_503_with_retry_after(self, make_bench):
        """Nothing was kept, and the sender learns it."""
        reply = await make_bench(spool_limit=10).post(EVENTS, {"action": "x"})

        assert (reply.status, reply.headers[b"retry-after"]) == (503, b"10")
        assert read_error(reply)["type"] == "unavailable"

    async def test_the_picture_takes_an_event_from_an_address(self, make_bench):
        """For pages without JavaScript."""
        bench = make_bench()
        reply = await bench.call(
            "GET",
            "/v1/track/pixel.gif?business=BID123&action=page.viewed&session=S&utm_source=hellotext&url=https://x/",
            b"",
            {"authorization": "", "origin": ""},
        )

        assert (reply.status, reply.headers[b"content-type"], reply.body[:6]) == (200, b"image/gif", b"GIF89a")
        data = bench.topic("pixel.events")[0]["data"]
        assert (data["session"], data["utm"], data["page"]) == ("S", {"source": "hellotext"}, {"url": "https://x/"})


class TestBatch:
    async def test_every_event_has_its_own_answer(self, make_bench):
        """In order; the good ones are kept whatever their neighbours are; common keys hold for each."""
        bench = make_bench()
        reply = await bench.post(
            "/v1/track/batch",
            {
                "session": "S",
                "events": [
                    {"action": "a", "event_id": "e1"},
                    {"currency": "BRL"},
                    5,
                    {"kind": "identification", "user_id": "u1", "email": "a@b.co", "event_id": "e2"},
                    {"kind": "acknowledgement", "event_id": "e3"},
                ],
            },
        )

        results = reply.json()["results"]
        assert reply.status == 200
        assert [result["status"] for result in results] == ["received", "rejected", "rejected", "received", "received"]
        assert [result.get("id") for result in results] == ["e1", None, None, "e2", "e3"]
        assert [event["data"]["kind"] for event in bench.topic("pixel.events")] == [
            "event",
            "identification",
            "acknowledgement",
        ]
        assert {event["data"]["session"] for event in bench.topic("pixel.events")} == {"S"}
        assert bench.kept()[0].record.topic == "pixel.identities"

    async def test_an_event_that_cannot_be_written_stops_only_itself(self, make_bench):
        """It nests deeper than JSON can be written."""
        bench = make_bench()
        deep = b'{"kind":"identification","email":"a@b.co","more":%b}' % (b"[" * 300 + b"]" * 300)
        reply = await bench.call("POST", "/v1/track/batch", b'[{"action":"a"},%b,{"action":"b"}]' % deep)

        assert [result["status"] for result in reply.json()["results"]] == ["received", "rejected", "received"]
        assert [event["data"]["action"] for event in bench.topic("pixel.events")] == ["a", "b"]

    @pytest.mark.parametrize("depth", [200, 300, 1000])
    async def test_what_nests_deeply_stops_only_itself(self, make_bench, depth):
        """Deeper than JSON can be written, and than Python follows; wherever it stands."""
        deep = '{"a":' * depth + "1" + "}" * depth
        bench = make_bench()
        events = [f'{{"action": "x.y", "{name}": {deep}}}' for name in ("consent", "metadata", "kind", "session")]
        events.append(f'{{"action": "x.y", "user_parameters": {{"id": {deep}, "user_id": {deep}}}}}')
        for body in events:
            assert (await bench.call("POST", EVENTS, body.encode())).status in {200, 422}
        batch = await bench.call("POST", "/v1/track/batch", f'[{",".join(events)}, {{"action": "x.y"}}]'.encode())
        report = '{"messageId": "m", "status": {"groupName": 1}, "seenAt": 1}'
        reports = [report.replace("1", deep, 1), f'{{"messageId": {deep}}}', deep, report]
        reports += [f'{{"messageId": "m", "url": {deep}}}', f'{{"messageId": "m", "seenAt": 1, "price": {deep}}}']
        told = await bench.call("POST", "/v1/reports/infobip/acme?token=hook-secret", f"[{','.join(reports)}]".encode())
        trigger = await bench.call(
            "POST", "/v1/triggers/acme/customers?token=hook-secret", f'{{"id": "c", "deleted": {deep}}}'.encode()
        )

        assert (batch.status, batch.json()["results"][-1]["status"]) == (200, "received")
        assert (told.status, trigger.status) == (200, 200)
        assert bench.topic("message.reports")

    @pytest.mark.parametrize("kind", [[], {}, None, 1])
    async def test_a_kind_that_is_no_text_is_an_event(self, make_bench, kind):
        """As one without."""
        reply = await make_bench().post("/v1/track/batch", [{"action": "x.y", "kind": kind}])

        assert reply.json()["results"][0]["status"] == "received"

    async def test_what_grows_past_what_kafka_takes_is_refused(self, make_bench):
        """Hashes are longer than addresses: one record too large for the broker would stop the spool behind it."""
        bench = make_bench()
        grows = {"action": "x.y", "metadata": {"text": "a@b.c " * 30_000}}
        one = await bench.post(EVENTS, grows)
        batch = await bench.post("/v1/track/batch", [grows, {"action": "x.y"}])

        assert (one.status, read_error(one)["type"]) == (422, "too_large")
        assert [result["status"] for result in batch.json()["results"]] == ["rejected", "received"]
        assert max(len(placed.record.value) for placed in bench.kept()) < 512 * 1024

    async def test_what_holds_for_all_events_of_a_batch_is_bounded(self, make_bench):
        """A body of 256 kB would become 100 MB of events."""
        bench = make_bench()
        shared = {"metadata": {"text": "x" * 200_000}}
        reply = await bench.post("/v1/track/batch", {**shared, "events": [{"action": "x.y"}] * 500})
        fits = await bench.post("/v1/track/batch", {**shared, "events": [{"action": "x.y"}] * 5})

        deep = b'{"metadata": ' + b'{"a":' * 300 + b"1" + b"}" * 300 + b', "events": [{"action": "x.y"}]}'

        assert (reply.status, read_error(reply)["type"], fits.status) == (413, "too_large", 200)
        assert (await bench.call("POST", "/v1/track/batch", deep)).status == 422
        assert len(bench.kept()) == 5

    async def test_more_personal_values_than_anybody_has_are_refused(self, make_bench):
        """To look for 20,000 of them in a text takes ten seconds, in which nobody is answered."""
        bench = make_bench()
        values = [f"{number:05}value" for number in range(20_000)]
        reply = await bench.post("/v1/public/identifications", {"session": "S", "user_id": "u", "more": values})

        assert (reply.status, read_error(reply)["type"]) == (422, "too_large")

    async def test_a_batch_is_bounded(self, make_bench):
        """One request does not bring more than the limit."""
        assert (await make_bench(batch_limit=2).post("/v1/track/batch", [{"action": "a"}] * 3)).status == 413


class TestOtherEndpoints:
    async def test_preflights_echo_what_the_page_adds(self, make_bench):
        """`authorization` stands by name; a preflight carries no credentials, and needs none."""
        reply = await make_bench().call(
            "OPTIONS",
            EVENTS,
            b"",
            {"authorization": "", "access-control-request-headers": "authorization,content-type,x-custom"},
        )

        assert 200 <= reply.status < 300
        assert reply.headers[b"access-control-allow-origin"] == b"*"
        assert {"authorization", "content-type", "x-custom", "idempotency-key"} <= set(
            reply.headers[b"access-control-allow-headers"].decode().split(", ")
        )
        assert b"max-age" in b",".join(reply.headers)

    async def test_a_session_for_old_clients(self, make_bench):
        """The answer must carry `id` (A3.5)."""
        reply = await make_bench().call("POST", "/v1/track/sessions")

        assert isinstance(reply.json()["id"], str)

    async def test_the_business_that_initialize_waits_for(self, make_bench):
        """No webchat or widget of ours; somebody else's id is not found."""
        bench = make_bench()
        own = await bench.call("GET", "/v1/public/businesses/BID123")
        other = await bench.call("GET", "/v1/public/businesses/ELSE")

        assert (own.json()["id"], own.json()["webchat"], other.status) == ("BID123", None, 404)

    @pytest.mark.parametrize(
        ("headers", "query", "status"),
        [
            ({}, "", 401),
            ({}, "?token=hook-secret", 200),
            ({}, "?token=wrong", 401),
            ({"x-hook-secret": "hook-secret"}, "", 200),
            ({"authorization": "Basic " + b64encode(b"any:hook-secret").decode()}, "", 200),
            ({"authorization": "Basic " + b64encode(b"any:wrong").decode()}, "", 401),
            ({"authorization": "Basic %%"}, "", 401),
            (
                {"x-hub-signature-256": "sha256=5b73c9fa4ed2b0ffe1b2d2cfafcd5b3c3a3ed3bcf1f2a5f3b9d1ad8d3b0d4d4e"},
                "",
                401,
            ),
        ],
    )
    async def test_hooks_need_the_stores_secret(self, make_bench, headers, query, status):
        """As a password, a token or a header."""
        bench = make_bench()
        reply = await bench.post(
            f"/v1/triggers/acme/orders{query}", {"OrderId": "v1-01"}, {"authorization": "", **headers}
        )

        assert reply.status == status
        assert len(bench.topic("vtex.hints")) == (status == 200)

    @pytest.mark.parametrize(("later", "status"), [(timedelta(minutes=1), 200), (timedelta(minutes=-1), 401)])
    async def test_a_secret_that_was_renewed_is_taken_for_a_while(self, make_bench, later, status):
        """In every form that the new one is; then it is refused, and the new one counts all along."""
        until = datetime.now(UTC) + later
        bench = make_bench(
            store_connection(
                hook_secret_before=Former(secret="sealed:old-hook", until=until),
                server_token_before=Former(secret="sealed:old-token-of-acme", until=until),
            )
        )
        body = orjson.dumps({"results": [{"messageId": "C1.m", "status": {"groupId": 3}}]})

        async def told(secret: str) -> list[int]:
            signature = hmac.digest(secret.encode(), body, "sha256").hex()
            path, nobody = "/v1/reports/infobip/acme", {"authorization": ""}
            token = await bench.call("POST", f"{path}?token={secret}", body, nobody)
            signed = await bench.call("POST", path, body, {**nobody, "x-signature": signature})
            return [token.status, signed.status]

        async def sent(token: str) -> int:
            headers = {"origin": "", "authorization": f"Bearer {token}"}
            return (await bench.post(EVENTS, {"action": "x"}, headers)).status

        assert await told("old-hook") == [status, status]
        assert await told("hook-secret") == [200, 200]
        assert [await sent("old-token-of-acme"), await sent("server-token-of-acme")] == [status, 200]

    async def test_a_store_whose_secrets_do_not_open_costs_no_other(self, make_bench):
        """Its senders keep what they have (503), it is told once, and others' back ends are known."""
        other = store_connection(store="beta", hash_secret="foreign:x")
        other = other.model_copy(update={"hellotext": other.hellotext.model_copy(update={"business_id": "BIDB"})})
        bench = make_bench(other, store_connection())

        async def sent(token: str) -> int:
            headers = {"origin": "", "authorization": f"Bearer {token}"}
            return (await bench.post(EVENTS, {"action": "x"}, headers)).status

        with capture_logs() as logs:
            statuses = [await sent(token) for token in ("BIDB", "BID123", "server-token-of-acme", "somebody's token")]

        assert statuses == [503, 200, 200, 503]
        assert [(entry["store"], entry["error"]) for entry in logs] == [
            ("beta", "give the key with which the store was connected")
        ]

    async def test_a_signed_report_is_believed(self, make_bench):
        """HMAC-SHA-256 of the body with the store's secret; of another body it is nothing."""
        body = orjson.dumps({"results": [{"messageId": "C1.m", "status": {"groupId": 3}}]})
        signature = hmac.digest(b"hook-secret", body, "sha256").hex()
        bench = make_bench()
        headers = {"authorization": "", "x-hub-signature-256": f"sha256={signature}"}

        believed = await bench.call("POST", "/v1/reports/infobip/acme", body, headers)
        forged = await bench.call("POST", "/v1/reports/infobip/acme", body + b" ", headers)

        assert (believed.status, forged.status) == (200, 401)
        assert len(bench.topic("message.reports")) == 1

    async def test_an_unreadable_report_is_a_dead_letter(self, make_bench):
        """The vendor gets 200: it would only send all of them again."""
        bench = make_bench()
        reply = await bench.post(
            "/v1/reports/infobip/acme?token=hook-secret", [{"messageId": "m", "seenAt": 1}, {"x": 1}]
        )

        assert reply.status == 200
        assert (len(bench.topic("message.reports")), len(bench.topic("dead.letters"))) == (1, 1)

    async def test_reports_are_bounded_and_kept_together(self, make_bench):
        """4 MB of nothing would be two million dead letters, one after another."""
        bench = make_bench()
        path = "/v1/reports/infobip/acme?token=hook-secret"
        kept = await bench.post(path, [1] * 1000)
        many = [await bench.post(path, body) for body in ([1] * 10_001, {"results": [1] * 10_001})]

        assert [kept.status, *(reply.status for reply in many)] == [200, 413, 413]
        assert len(bench.topic("dead.letters")) == 1000

    async def test_unknown_paths_are_json_404(self, make_bench):
        """Never a redirect, never HTML; nor does Hellotext hear of our own paths with another method."""
        bench = make_bench()
        for path in ("/nothing", EVENTS, "/v1/public/acks", "/v1/public/identifications"):
            assert read_error(await bench.call("GET", path))["type"] == "not_found"

    async def test_paths_of_hellotexts_own_are_passed_on(self, make_bench):
        """When Hellotext cannot be reached the page gets a readable 502; nothing climbs out, no token goes out."""
        bench = make_bench()
        gone = await bench.call("GET", "/v1/public/forms/f1?session=S")
        climbing = await bench.call("GET", "/v1/public/../profiles")
        token = {"authorization": "Bearer server-token-of-acme"}
        of_ours = await bench.call("GET", "/v1/public/forms/f1", headers=token)

        assert (gone.status, climbing.status, of_ours.status) == (502, 404, 403)
        assert read_error(gone)["type"] == "upstream_unreachable"

    async def test_an_answer_with_a_status_that_nobody_has_named_is_passed_on(self, make_bench):
        """As a network before Hellotext gives them: 520, 525."""

        async def origin(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"HTTP/1.1 520 \r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}")
            writer.close()

        async with await asyncio.start_server(origin, "127.0.0.1", 0) as server:
            url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
            bench = make_bench(store_connection(hellotext=HellotextAccess(url=url, business_id="BID123", token="t")))
            reply = await bench.call("GET", "/v1/public/forms/f1")

        assert (reply.status, reply.body) == (520, b"{}")

    async def test_readiness_says_why_not(self, make_bench):
        """Kafka has never answered here; the loop is alive all the same."""
        bench = make_bench()
        live, ready = await bench.call("GET", "/health/live"), await bench.call("GET", "/health/ready")

        assert (live.status, ready.status) == (200, 503)
        assert ready.json()["reasons"] == ["Kafka has not answered yet"]

    async def test_metrics_name_no_path_and_no_store(self, make_bench):
        """Anybody may choose a path."""
        bench = make_bench()
        await bench.call("GET", "/v1/a@b.co")
        await bench.post(EVENTS, {"action": "x"})
        metrics = (await bench.call("GET", "/metrics")).body.decode()

        assert 'collector_requests_total{route="/v1/track",status="200"} 1.0' in metrics
        assert "a@b.co" not in metrics


def test_a_bucket_refills():
    """It says how long until there is enough, and never more than the burst."""
    bucket = Bucket(rate=10, burst=5)

    assert bucket.take(5) == 0
    assert 0 < bucket.take(1) <= 0.1
    assert 0.4 < bucket.take(100) <= 0.5


def test_more_than_a_bucket_holds_is_paid_for():
    """A batch larger than the burst is let through a full bucket, and the rest of it is waited for."""
    bucket = Bucket(rate=1, burst=10)

    assert bucket.take(500) == 0
    assert 490 < bucket.take(1) <= 491


async def test_an_outlet_without_kafka_and_disk_fails_for_everyone_who_waits(make_bench):
    """One failure resolves the whole group, and the lane goes on afterwards."""
    bench = make_bench(spool_limit=10)
    replies = [await bench.post(EVENTS, {"action": "x"}) for _ in range(2)]

    assert [reply.status for reply in replies] == [503, 503]
    assert bench.outlet.away
