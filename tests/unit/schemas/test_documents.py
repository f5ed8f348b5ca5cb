"""The written catalogue is the code's, and a change that breaks old readers is refused."""

import copy

import orjson

from schemas import generate
from schemas.compatibility import breaking_changes
from schemas.topics import KPI_CAMPAIGNS, TOPICS


def test_no_drift():
    """Every generated file on disk is what the catalogue says now (else: `make schemas`)."""
    stale = [str(path.name) for path, content in generate.files().items() if path.read_bytes() != content]

    assert stale == []


def test_every_topic_has_a_channel():
    """The AsyncAPI document names every topic."""
    assert set(generate.asyncapi()["channels"]) == {topic.name for topic in TOPICS}


class TestBreakingChanges:
    def schema(self):
        return orjson.loads(orjson.dumps(generate.json_schema(KPI_CAMPAIGNS)))

    def test_same(self):
        """A schema is compatible with itself, for every topic."""
        for topic in TOPICS:
            assert breaking_changes(generate.json_schema(topic), generate.json_schema(topic)) == []

    def test_added_field(self):
        """A new field breaks nobody."""
        new = self.schema()
        new["properties"]["opens"] = {"type": "integer"}

        assert breaking_changes(self.schema(), new) == []

    def test_removed_field(self):
        """A field that disappears is named."""
        new = self.schema()
        del new["properties"]["clicks"]

        assert breaking_changes(self.schema(), new) == ["$.clicks: disappeared"]

    def test_changed_type(self):
        """A field that becomes text is named."""
        new = copy.deepcopy(self.schema())
        new["properties"]["revenue"] = {"type": "string"}

        assert breaking_changes(self.schema(), new) == ["$.revenue: may now be of type string"]

    def test_no_longer_required(self):
        """A field that readers could count on must stay."""
        new = self.schema()
        new["required"].remove("campaign")

        assert breaking_changes(self.schema(), new) == ["$.campaign: is no longer always present"]

    def test_new_value_of_an_enumeration(self):
        """A value that old readers do not know is named."""
        new = self.schema()
        new["properties"]["basis"]["enum"].append("click")

        assert breaking_changes(self.schema(), new) == ["$.basis: may now be the value 'click'"]
