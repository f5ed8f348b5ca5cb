"""The built scripts: what is committed is what the sources say, small, and free of other people's addresses."""

import gzip
import hashlib
import re
from pathlib import Path

import orjson
import pytest

CLIENT = Path(__file__).parents[3] / "connectors" / "pixel" / "client"


def test_the_committed_build_is_of_these_sources():
    """A changed source without `npm run build` is found without Node."""
    manifest = orjson.loads((CLIENT / "dist" / "manifest.json").read_bytes())

    assert set(manifest["built"]) == {f"dist/{path.name}" for path in (CLIENT / "dist").glob("*.js")}
    assert {path for path in manifest["sources"] if path.startswith("src/")} == {
        f"src/{path.name}" for path in (CLIENT / "src").iterdir()
    }
    for path, digest in {**manifest["sources"], **manifest["built"]}.items():
        assert hashlib.sha256((CLIENT / path).read_bytes()).hexdigest() == digest, f"{path}: run npm run build"


@pytest.mark.parametrize("name", ["pixel.js", "checkout.js"])
def test_the_script_is_small_and_calls_nobody_else(name):
    """Under 6 kB gzipped; no host but the one that it was loaded from."""
    script = (CLIENT / "dist" / name).read_bytes()

    assert len(gzip.compress(script, 9)) < 6 * 1024
    assert re.findall(rb"https?://[a-z]", script) == []


def test_the_lockfile_names_no_registry():
    """Versions and hashes pin the tools; where they come from is the installer's own setting."""
    lock = (CLIENT / "package-lock.json").read_text()

    assert "://" not in lock
    assert '"integrity"' in lock


async def test_the_collector_serves_them(make_bench):
    """As scripts that a cache may keep for a while."""
    reply = await make_bench().call("GET", "/v1/pixel.js")

    assert reply.status == 200
    assert reply.headers[b"content-type"].startswith(b"text/javascript")
    assert reply.body == (CLIENT / "dist" / "pixel.js").read_bytes()
