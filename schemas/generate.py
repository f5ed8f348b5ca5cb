"""Generates what is written down about topics from the catalogue, so that no document can drift from the code.

`python -m schemas.generate` writes `docs/schemas/*.json` (one JSON Schema a topic), `docs/asyncapi.json` and
`docs/topics.md`, and refuses a change that would break an old reader unless `--breaking` says that it is meant;
`--check` writes nothing and exits 1 when a file differs (run by `make check`).
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import orjson
from pydantic import TypeAdapter

from schemas.clock import DAY_MS
from schemas.compatibility import breaking_changes
from schemas.personal import personal_paths
from schemas.topics import TOPICS, Topic

DOCS: Final = Path(__file__).parent.parent / "docs"
_OPTIONS: Final = orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE


def json_schema(topic: Topic) -> dict[str, Any]:
    """Return the JSON Schema of a topic's values, personal fields listed under `x-personal`."""
    schema = TypeAdapter(topic.model).json_schema(mode="serialization")
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["title"] = topic.name
    schema["description"] = topic.summary
    schema["x-personal"] = sorted(set(personal_paths(topic.model)))
    return schema


def asyncapi() -> dict[str, Any]:
    """Return the AsyncAPI 3.0 document: a channel and a message for each topic."""
    channels = {
        topic.name: {
            "address": topic.name,
            "description": f"{topic.summary} Key: {'/'.join(topic.key_parts)}. Kept: {kept(topic)}.",
            "messages": {topic.name: {"payload": {"$ref": f"schemas/{topic.name}.json"}}},
        }
        for topic in TOPICS
    }
    return {
        "asyncapi": "3.0.0",
        "info": {"title": "hellotext-vtex", "version": "1.0.0", "description": "Topics of hellotext-vtex."},
        "defaultContentType": "application/json",
        "channels": channels,
    }


def kept(topic: Topic) -> str:
    """Return for people how long a topic keeps its records."""
    parts = []
    if "compact" in topic.cleanup:
        parts.append("compacted")
    if topic.retention_ms is not None and "delete" in topic.cleanup:
        parts.append(f"{topic.retention_ms // DAY_MS} d")
    return ", ".join(parts)


def topics_page() -> str:
    """Return the catalogue as a Markdown page."""
    lines = [
        "# Topics",
        "",
        "Generated from `schemas/topics.py` by `python -m schemas.generate`; do not edit.",
        "",
        "The partition of every topic is `crc32(store) mod N`; `TOPIC_PREFIX` stands before every name.",
        "",
        "| topic | key | values | kept | personal | written by | read by |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    lines += [
        f"| `{t.name}` | {'/'.join(t.key_parts)} | [{t.summary}](schemas/{t.name}.json) | {kept(t)} "
        f"| {'yes' if t.personal else ''} | {', '.join(t.writers)} | {', '.join(t.readers)} |"
        for t in TOPICS
    ]
    return "\n".join(lines) + "\n"


def files() -> dict[Path, bytes]:
    """Return every generated file with its content."""
    wanted = {
        DOCS / "schemas" / f"{topic.name}.json": orjson.dumps(json_schema(topic), option=_OPTIONS) for topic in TOPICS
    }
    wanted[DOCS / "asyncapi.json"] = orjson.dumps(asyncapi(), option=_OPTIONS)
    wanted[DOCS / "topics.md"] = topics_page().encode()
    return wanted


def _breaking(stale: dict[Path, bytes]) -> Iterator[str]:
    for path, content in stale.items():
        if path.parent.name == "schemas" and path.exists():
            for change in breaking_changes(orjson.loads(path.read_bytes()), orjson.loads(content)):
                yield f"{path.stem}: {change}"


def main(arguments: list[str]) -> int:
    """Write the files, or with `--check` name those that differ; return the exit code."""
    stale = {path: content for path, content in files().items() if not path.exists() or path.read_bytes() != content}
    if "--check" in arguments:
        for path in stale:
            sys.stderr.write(f"{path.relative_to(DOCS.parent)} differs from schemas/: run `make schemas` and commit\n")
        return 1 if stale else 0
    broken = [] if "--breaking" in arguments else list(_breaking(stale))
    for sentence in broken:
        sys.stderr.write(f"{sentence}\n")
    if broken:
        sys.stderr.write("Old readers would break: keep the field, or say --breaking and write it in the CHANGELOG.\n")
        return 1
    for path, content in stale.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
