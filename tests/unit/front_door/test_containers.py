"""The image and docker-compose.yml agree with the product: there is no Docker engine here to run them."""

import asyncio
import re
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import httpx
import pytest
import yaml
from typer.testing import CliRunner

from connectors.kafka.docker import image
from hellotext_vtex.app import app
from hellotext_vtex.settings import Settings
from sandbox.serve import run_sandbox
from sandbox.settings import SandboxSettings

ROOT = Path(__file__).parents[3]
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
OURS = {name: service for name, service in COMPOSE["services"].items() if name != "broker"}


@pytest.mark.parametrize("name", OURS)
def test_every_service_runs_a_command_that_exists(name):
    """With a health check, and only settings that are read."""
    service = OURS[name]

    assert CliRunner().invoke(app, [*service["command"], "--help"]).exit_code == 0
    assert set(service.get("environment", {})) <= set(Settings.names())
    assert "healthcheck" in service or name == "poller"


def test_services_start_in_an_order_that_works():
    """Topics exist before whoever needs them, and the broker answers before they are created."""
    assert OURS["topics"]["depends_on"]["broker"]["condition"] == "service_healthy"
    for name in ("poller", "collector", "worker", "console"):
        assert OURS[name]["depends_on"]["topics"]["condition"] == "service_completed_successfully"


def test_the_broker_is_the_version_that_is_embedded():
    """What tests run is what compose runs."""
    assert COMPOSE["services"]["broker"]["image"] == image()


def test_every_process_has_a_service():
    """As DESIGN section 4 names them."""
    assert set(COMPOSE["services"]) >= {"broker", "poller", "collector", "worker", "console", "sandbox"}


def test_the_image_copies_what_exists():
    """And installs from the locked versions."""
    text = (ROOT / "Dockerfile").read_text()
    copied = re.findall(r"^COPY (?!--from)(\S+)", text, re.MULTILINE)

    assert [name for name in copied if not (ROOT / name).exists()] == []
    assert "--require-hashes" in text


def test_the_image_is_built_once():
    """Several services that build one image at a time fail with "already exists"; none is looked for in a registry."""
    assert [name for name, service in OURS.items() if "build" in service] == ["topics"]
    assert {service["image"] for service in OURS.values()} == {OURS["topics"]["image"]}
    assert {service["pull_policy"] for name, service in OURS.items() if name != "topics"} == {"never"}
    for name in OURS.keys() - {"topics", "sandbox"}:
        assert "topics" in OURS[name]["depends_on"]


def test_other_containers_reach_the_sandbox_where_it_says_that_it_is():
    """It tells its addresses by the name it listens on; 0.0.0.0 would be everybody's own."""
    assert OURS["sandbox"]["environment"]["SANDBOX_HOST"] == "sandbox"
    assert OURS["sandbox"]["healthcheck"]["test"][-1] == "tcp://sandbox:8070"


async def test_a_sandbox_that_listens_on_a_name_is_known_by_it():
    """So its keys can be given to the wizard as it shows them."""
    stop, told = asyncio.Event(), asyncio.get_running_loop().create_future()
    serving = asyncio.create_task(
        run_sandbox(SandboxSettings(host="localhost", port=0), ready=told.set_result, stop=stop)
    )
    url = await asyncio.wait_for(told, 20)
    async with httpx.AsyncClient() as http:
        accounts = (await http.get(f"{url}/control/accounts")).json()
    stop.set()
    await serving

    assert url.startswith("http://localhost:")
    assert {account["vtex_url"].rpartition("/vtex/")[0] for account in accounts} == {url}


class _Answer(BaseHTTPRequestHandler):
    def do_GET(self):
        """Answer what the path says."""
        self.send_response(int(self.path[1:]))
        self.end_headers()

    def log_message(self, *_):
        """Say nothing."""


@pytest.mark.parametrize(("path", "code"), [("200", 0), ("503", 1)])
def test_the_health_check_believes_2xx_only(path, code):
    """It runs in the image without any of our packages."""
    with HTTPServer(("127.0.0.1", 0), _Answer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}/{path}"
        done = subprocess.run(
            [sys.executable, "-I", ROOT / "docker/health.py", address], check=False, capture_output=True
        )
        server.shutdown()

    assert done.returncode == code
