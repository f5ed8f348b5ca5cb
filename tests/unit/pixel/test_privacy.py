import ipaddress
import time

import orjson
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from connectors.pixel.privacy import DEEPEST, Scrubber, mask_address, may_keep, sender_address
from connectors.pixel.records import Sender, seal
from connectors.pixel.wire import read_event, read_identification
from schemas import topics
from schemas.events import CloudEvent
from schemas.personal import hash_value
from schemas.pixel import Identification, TrackingEvent

SECRET = b"the store's hash secret"
EMAIL_HASH = hash_value(SECRET, "email", "ana.silva@example.com")
PHONE_HASH = hash_value(SECRET, "phone", "+5511987654321")


def sender(**changes):
    """The facts of a request."""
    facts = {"store": "acme", "secret": SECRET, "country": "BR", "privacy": "none", "received": 1_795_485_600_000}
    return Sender(**{**facts, **changes})


def scrubber() -> Scrubber:
    """A scrubber that has learnt nothing."""
    return Scrubber(SECRET, "BR")


class TestScrubber:
    @pytest.mark.parametrize(
        ("text", "cleaned"),
        [
            ("/p?email=ana.silva%40example.com&x=1", f"/p?email=email:{EMAIL_HASH}&x=1"),
            ("write to ana.silva@example.com now", f"write to email:{EMAIL_HASH} now"),
            ("/p?q=ana.silva%2540example.com", f"/p?q=email:{EMAIL_HASH}"),
            ("call +55 11 98765-4321", f"call phone:{PHONE_HASH}"),
            ("/p?phone=11987654321", f"/p?phone=phone:{PHONE_HASH}"),
            ("/p?cpf=12345678901&x=1", "/p?cpf=removed&x=1"),
            ("/p?first_name=Ana#a=1", "/p?first_name=removed#a=1"),
            ("/shoes?size=42&color=blue", "/shoes?size=42&color=blue"),
            ("/caf%C3%A9?a=b", "/caf%C3%A9?a=b"),
        ],
    )
    def test_texts_and_addresses_lose_personal_values_only(self, text, cleaned):
        """Hashes stand for e-mail and phone, the rest is removed; what is not personal stays as it was."""
        assert scrubber().text(text) == cleaned

    @pytest.mark.parametrize(
        "text", ["a" * 60_000 + "@", "\u20ac" * 60_000 + " a@b.c", "a@" + "a." * 30_000, "+1 " * 20_000]
    )
    def test_a_long_word_costs_its_length_and_not_its_square(self, text):
        """Anybody may send one, and nobody is answered meanwhile: milliseconds, not 8 s."""
        before = time.process_time()
        scrubber().text(text)

        assert time.process_time() - before < 2

    def test_keys_tell_what_values_are(self):
        """Names, documents and addresses are left out; a product's name is none of anyone."""
        assert scrubber().tree(
            {
                "email": "Ana.Silva@Example.com ",
                "phone": 11987654321,
                "firstName": "Ana",
                "document": "1",
                "ip": "1.2.3.4",
                "visitorContactInfo": ["x"],
                "visitorAddressCity": "SP",
                "customer": {"name": "Ana", "id": "c1"},
                "items": [{"product": {"name": "Shoe", "sku": "1"}}],
                "a@b.co": 1,
            }
        ) == {
            "email": f"email:{EMAIL_HASH}",
            "phone": f"phone:{PHONE_HASH}",
            "customer": {"id": "c1"},
            "items": [{"product": {"name": "Shoe", "sku": "1"}}],
            f"email:{hash_value(SECRET, 'email', 'a@b.co')}": 1,
        }

    def test_an_answer_to_a_question_is_no_value(self):
        """Whether somebody wants e-mail is a flag, and a short number under `phone` a model."""
        told = {"email": True, "phone": 5, "news": {"email": False, "sms": None}}

        assert scrubber().tree(told) == told

    def test_a_number_in_words_is_one(self):
        """A CPF or a date told as number stands under its name, and goes with it."""
        assert scrubber().tree({"cpf": 12345678901, "birthday": 19900101, "n": 12345678901}) == {"n": 12345678901}

    def test_what_nests_as_deep_as_can_be_kept_is_kept(self):
        """Lists and objects alike, one level for each; only what is deeper goes."""
        for make in (lambda inner: {"a": inner}, lambda inner: [inner]):
            whole = 1
            for _ in range(DEEPEST):
                whole = make(whole)
            assert scrubber().tree(whole) == whole
            assert scrubber().tree(make(whole)) != make(whole)

    def test_what_nests_without_end_is_cut(self):
        """JSON that could not be written again is not kept."""
        deep = current = {}
        for _ in range(500):
            current["a"] = {}
            current = current["a"]

        assert orjson.dumps(scrubber().tree(deep))


NAMES = st.text(alphabet="abcdefghijklmnopqrstuvwxyzáéãç", min_size=6, max_size=12)
EMAILS = st.builds("{}@{}.com".format, st.from_regex(r"[a-z][a-z0-9._+-]{3,12}[a-z0-9]", fullmatch=True), NAMES)
PHONES = st.integers(10_000_000, 99_999_999).map(lambda number: f"+55119{number}")
PLACES = st.sampled_from(
    ("title", "path", "url", "query", "metadata", "deep", "key", "object", "utm", "session", "encoded")
)


class TestSeal:
    @given(email=EMAILS, phone=PHONES, first=NAMES, document=st.integers(10**10, 10**11 - 1), places=st.sets(PLACES))
    def test_no_personal_value_reaches_pixel_events(self, email, phone, first, document, places):
        """Wherever the page has put it: title, address, query, metadata, keys, UTM, the session itself."""
        value = f"{email} {phone}"
        body = {
            "action": "order.placed",
            "session": email if "session" in places else "S",
            "user_parameters": {"email": email, "phone": phone, "first_name": first, "document": str(document)},
            "page": {
                "url": f"https://shop/p?email={email}" if "query" in places else f"https://shop/{first}",
                "title": f"Hello {first}, {value}" if "title" in places else "T",
                "path": f"/{document}" if "path" in places else "/",
            },
            "utm_params": {"source": "hellotext", "content": value} if "utm" in places else {},
            "metadata": {"note": value} if "metadata" in places else {},
            "object_parameters": {"a": [{"b": {"c": value}}]} if "deep" in places else {},
        }
        if "key" in places:
            body[email] = {phone: 1}
        if "object" in places:
            body["object"] = email
        if "encoded" in places:
            body["link"] = f"https://x/?u={email.replace('@', '%40')}"
        strangers = {**body, "user_parameters": {"email": "x@y.example"}, "page": {"url": "https://shop/", "path": "/"}}
        # A name that is one of our own words ("parame") stands in every event, "remove" in what stands in its place.
        assume(
            first != "undefined"
            and first not in "removed"
            and first not in seal(read_event(strangers), sender()).event.value.decode()
        )

        sealed = seal(read_event(body), sender())

        for personal in (email, phone, phone[1:], first, str(document)):
            written = sealed.event.value.decode()
            assert personal not in written
            assert personal not in orjson.loads(written).__repr__()
            assert personal.encode() not in sealed.event.key
        assert sealed.identity is not None
        told = Identification.model_validate_json(sealed.identity.value)
        assert (told.email, told.phone, told.first_name, told.document) == (email, phone, first, str(document))
        event = CloudEvent[TrackingEvent].model_validate_json(sealed.event.value)
        assert (event.data.email_hash, event.data.phone_hash) == (told.email_hash, told.phone_hash)
        assert event.data.email_hash == hash_value(SECRET, "email", email)

    @pytest.mark.parametrize(
        "person",
        [{"last_name": "Black"}, {"last_name": "Page", "first_name": "Placed"}, {"tags": ["black-friday", "sms"]},
         {"last_order": "1234567890123"}],
    )  # fmt: skip
    def test_who_somebody_is_does_not_rename_what_the_shop_names(self, person):
        """A surname, a tag or an order told of a person is no reason to lose a campaign, an action or an order."""
        words = {"source": "hellotext", "medium": "sms", "campaign": "black-friday"}
        body = {"action": "order.placed", "object": "1234567890123", "utm_params": words}

        data = orjson.loads(seal(read_event({**body, "user_parameters": person}), sender()).event.value)["data"]

        assert (data["action"], data["order"], data["utm"]) == ("order.placed", "1234567890123", words)

    def test_an_identification_goes_to_both_topics(self):
        """Values to pixel.identities, hashes to pixel.events; an e-mail as `user_id` counts as e-mail (A3.4)."""
        sealed = seal(
            read_identification({"session": "S", "user_id": "Ana.Silva@example.com", "source": "vtex"}), sender()
        )

        assert sealed.identity is not None
        assert sealed.identity.key == sealed.event.key == b"acme/S"
        assert sealed.identity.topic == topics.PIXEL_IDENTITIES.name
        event = CloudEvent[TrackingEvent].model_validate_json(sealed.event.value)
        assert (event.type, event.data.kind) == ("pixel.identification", "identification")
        assert event.data.email_hash == EMAIL_HASH
        assert event.data.customer_hash == hash_value(SECRET, "customer", "ana.silva@example.com")

    def test_a_known_user_without_values_writes_no_identification(self):
        """Every event after an identify carries id and source: the hash says it, nothing new is to be kept."""
        sealed = seal(read_event({"action": "x", "user_parameters": {"id": "u1", "source": "vtex"}}), sender())

        assert sealed.identity is None
        assert orjson.loads(sealed.event.value)["data"]["customer_hash"] == hash_value(SECRET, "customer", "u1")

    @pytest.mark.parametrize(
        ("mode", "told", "opted_out", "kept"),
        [
            ("none", None, False, True),
            ("lgpd", None, False, True),
            ("gdpr", None, False, False),
            ("gdpr", "granted", False, True),
            ("none", "denied", False, False),
            ("none", None, True, False),
            ("none", "granted", True, True),
        ],
    )
    def test_without_consent_only_the_fact_is_kept(self, mode, told, opted_out, kept):
        """It still gets its fate, but says nothing about anybody: no session, page, device, identity."""
        body = {"action": "page.viewed", "session": "S", "user_parameters": {"email": "a@b.co"}, "consent": told}

        sealed = seal(read_event(body), sender(privacy=mode, opted_out=opted_out, network="1.2.3.0/24"))

        data = orjson.loads(sealed.event.value)["data"]
        assert (sealed.identity is not None) == kept
        assert ("session" in data, "email_hash" in data, "device" in data) == (kept, kept, kept)
        assert data["action"] == "page.viewed"

    def test_the_senders_id_is_the_events_id(self):
        """It makes a repeated sending the same event."""
        sealed = seal(read_event({"action": "x", "event_id": "mine-1"}), sender())

        envelope = orjson.loads(sealed.event.value)
        assert (sealed.id, envelope["id"], envelope["data"]["given_id"]) == ("mine-1",) * 3
        assert sealed.event.key == b"acme/mine-1"

    @pytest.mark.parametrize("name", ["event_id", "session"])
    def test_ids_that_hold_a_personal_value_stay_apart(self, name):
        """`signup-` and a document: the document is left out, and two sign-ups are two, each the same when repeated."""

        def written(document: str) -> tuple[str, str]:
            body = {"action": "x", name: f"signup-{document}", "user_parameters": {"document": document}}
            sealed = seal(read_event(body), sender())
            assert document.encode() not in sealed.event.key + sealed.event.value
            return sealed.id, sealed.event.key.decode()

        one, again, other = (written(document) for document in ("12345678900", "12345678900", "98765432100"))

        assert one[1] == again[1] != other[1]
        assert name == "session" or one[0] == again[0] != other[0]

    def test_ids_longer_than_what_is_kept_stay_apart(self):
        """Two that differ behind the last letter that is kept are two events."""
        ids = [seal(read_event({"action": "x", "event_id": "i" * 600 + end}), sender()).id for end in ("1", "1", "2")]

        assert ids[0] == ids[1] != ids[2]
        assert set(map(len, ids)) == {512}


class TestAddresses:
    @given(st.ip_addresses(v=4))
    def test_an_ipv4_address_loses_its_last_byte(self, address):
        """The network holds the address, and 256 neighbours."""
        network = ipaddress.ip_network(mask_address(str(address)))

        assert (network.prefixlen, address in network) == (24, True)
        assert str(network.network_address).endswith(".0")

    @given(st.ip_addresses(v=6))
    def test_an_ipv6_address_keeps_48_bits(self, address):
        """A mapped IPv4 address is masked as the IPv4 address it is."""
        network = ipaddress.ip_network(mask_address(str(address)))

        if address.ipv4_mapped:
            assert (network.prefixlen, address.ipv4_mapped in network) == (24, True)
        else:
            assert (network.prefixlen, address in network) == (48, True)

    @pytest.mark.parametrize(
        ("told", "network"),
        [
            ("198.51.100.23:4711", "198.51.100.0/24"),
            ("[2001:db8:1:2::3]:4711", "2001:db8:1::/48"),
            ("[2001:db8:1:2::3]", "2001:db8:1::/48"),
        ],
    )
    def test_a_port_is_no_part_of_an_address(self, told, network):
        """Azure's gateway writes it into `X-Forwarded-For`."""
        assert mask_address(told) == network

    @given(st.text(max_size=40))
    def test_anything_else_gives_a_network_or_nothing(self, text):
        """Nobody's header makes us store a text of theirs."""
        masked = mask_address(text)

        assert masked is None or ipaddress.ip_network(masked).prefixlen in {24, 48}

    def test_only_our_own_proxies_are_believed(self):
        """Anybody can write X-Forwarded-For: what counts stands where our outermost proxy wrote it."""
        assert sender_address("10.0.0.1", b"6.6.6.6, 203.0.113.7", 0) == "10.0.0.1"
        assert sender_address("10.0.0.1", b"6.6.6.6, 203.0.113.7", 1) == "203.0.113.7"
        assert sender_address("10.0.0.1", b"203.0.113.7, 10.0.0.9", 2) == "203.0.113.7"
        assert sender_address("10.0.0.1", b"203.0.113.7, 10.0.0.9", 5) == "203.0.113.7"
        assert sender_address("10.0.0.1", b"6.6.6.6, 203.0.113.7 ,, ", 1) == "203.0.113.7"
        assert sender_address("10.0.0.1", b" , ", 1) == sender_address("10.0.0.1", b"", 1) == "10.0.0.1"


def test_consent_modes():
    """Gdpr asks first; the others keep until somebody objects."""
    assert [may_keep(mode, None) for mode in ("gdpr", "lgpd", "none")] == [False, True, True]
