"""The catalogue of topics tells who reads what; here it is held against the agents themselves."""

import pytest

from schemas.topics import TOPICS
from streams.pipeline import agents

AGENTS = agents(stores=None)
NAMES = {agent.name for agent in AGENTS}


@pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.name)
def test_the_agents_among_a_topics_readers_are_those_that_read_it(topic):
    """None is missing, and none is named that does not read it."""
    assert {agent.name for agent in AGENTS if topic in agent.inputs} == NAMES & set(topic.readers)
