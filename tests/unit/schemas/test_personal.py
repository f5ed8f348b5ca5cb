"""Normal forms, hashes and the mark of personal values."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from schemas.personal import PersonalStr, hash_value, normal_email, normal_phone, personal_paths
from schemas.topics import TOPICS


class TestNormalEmail:
    @pytest.mark.parametrize(
        ("written", "normal"),
        [
            ("  Jane@Shop.COM ", "jane@shop.com"),
            ("johndoe@vtex.com.br-207700027841b.ct.vtex.com.br", "johndoe@vtex.com.br"),
            ("jane@x.org-85b.ct.vtex.com", "jane@x.org"),
            ("<Jane@shop.com>;", "jane@shop.com"),
            ("mailto:jane@shop.com", "jane@shop.com"),
            ("\u200bjane@shop.com\x00", "jane@shop.com"),
            ("jane@shop.com.", "jane@shop.com"),
            ("o'neil+x@sub.shop.com.br", "o'neil+x@sub.shop.com.br"),
        ],
    )
    def test_one_form(self, written, normal):
        """Case, space and soft masks do not make another person."""
        assert normal == normal_email(written)

    @pytest.mark.parametrize(
        "written",
        [
            "",
            "***",
            "j***@x.com",
            "ff2e6348a53a4d449af92be2a1011328@ct.vtex.com.br",
            "no address",
            None,
            7,
            "a@b",
            "a" * 250 + "@x.io",
            "jane@shop.com; joe@shop.com",
            " " * 2_000_000 + "jane",
        ],
    )
    def test_nobody(self, written):
        """A masked or impossible address identifies nobody."""
        assert normal_email(written) is None

    @given(st.text())
    def test_stable(self, text):
        """The normal form of a normal form is itself, whatever was written."""
        normal = normal_email(text)

        assert normal is None or normal_email(normal) == normal


class TestNormalPhone:
    @pytest.mark.parametrize(
        ("written", "country", "normal"),
        [
            ("+5511987654321", "BR", "+5511987654321"),
            ("11987654321", "BR", "+5511987654321"),
            ("(11) 98765-4321", "BR", "+5511987654321"),
            ("+54 9 11 2345-6789", "BR", "+5491123456789"),
            ("011 15-2345-6789", "AR", "+5491123456789"),
            ("5511987654321", "BR", "+5511987654321"),
            ("5491123456789", "BR", "+5491123456789"),
            ("0055 11 98765 4321", "BR", "+5511987654321"),
            ("011 98765-4321", "BR", "+5511987654321"),
            ("(11) 98765-4321 / 3333-4444", "BR", "+5511987654321"),
            ("+55+5511987654321", "BR", "+5511987654321"),
            ("+55 (11) 98765-4321 ramal 12", "BR", "+5511987654321"),
            ("+(55) 11 \uff19\uff18765-4321", "BR", "+5511987654321"),
            ("tel: 11 98765-4321", "BR", "+5511987654321"),
            ("+55 11 8765-4321", "BR", "+5511987654321"),
            ("1187654321", "BR", "+5511987654321"),
            ("(11) 3333-4444", "BR", "+551133334444"),
            ("+55 12 13234-5678", "BR", "+5512132345678"),
            ("+52 1 55 1234 5678", "MX", "+525512345678"),
            ("5215512345678", "MX", "+525512345678"),
            ("044 55 1234 5678", "MX", "+525512345678"),
            ("55 1234 5678", "MX", "+525512345678"),
            ("98765-4321", "BR", None),
            ("00000000000", "BR", None),
            ("1" * 40, "BR", None),
            (" " * 2_000_000, "BR", None),
            ("0", "BR", None),
            ("", "BR", None),
            ("***", "BR", None),
            (None, "BR", None),
        ],
    )
    def test_e164(self, written, country, normal):
        """Whatever shape VTEX let through, one number is one text, and nonsense is nobody (NOTES 2.5)."""
        assert normal == normal_phone(written, country)

    @given(st.text())
    def test_never_raises(self, text):
        """No text makes it raise, and a result is its own normal form."""
        normal = normal_phone(text, "BR")

        assert normal is None or normal_phone(normal, "AR") == normal


class TestHash:
    def test_keyed_and_kinded(self):
        """The hash depends on the secret and on the kind, and shows nothing of the value."""
        first = hash_value(b"one", "email", "jane@shop.com")

        assert first == hash_value(b"one", "email", "jane@shop.com")
        assert first != hash_value(b"two", "email", "jane@shop.com")
        assert first != hash_value(b"one", "phone", "jane@shop.com")
        assert len(first) == 64
        assert "jane" not in first


class TestMark:
    def test_found_inside(self):
        """The mark is found through options, lists and models inside models."""

        class Inner(BaseModel):
            name: PersonalStr | None = None
            count: int = 0

        class Outer(BaseModel):
            one: Inner
            many: list[Inner]
            email: PersonalStr

        assert set(personal_paths(Outer)) == {"one.name", "many.name", "email"}

    def test_only_topics_that_say_so(self):
        """No topic outside those that the catalogue calls personal has a personal field."""
        offenders = [topic.name for topic in TOPICS if not topic.personal and list(personal_paths(topic.model))]

        assert offenders == []

    def test_personal_topics_are_compacted(self):
        """Personal values stand only where a tombstone removes them within a day (DESIGN section 11)."""
        for topic in TOPICS:
            if topic.personal:
                assert "compact" in topic.cleanup, topic.name
                assert topic.config()["max.compaction.lag.ms"] == "86400000"
