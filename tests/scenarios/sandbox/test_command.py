"""The sandbox as a process of its own."""

import json

import httpx

from tests.scenarios.front_door.commands import CommandLine


def test_its_shops_load_the_pixel_from_the_collector_of_the_settings(tmp_path):
    """With another port than the usual one, a storefront that loads it from there is a shop without a pixel."""
    process = CommandLine(tmp_path, {"COLLECTOR_PORT": "18999"}).start("sandbox", "--port", "0", "--json")
    try:
        assert process.stdout is not None
        url = json.loads(process.stdout.readline())["url"]
        page = httpx.get(f"{url}/shop/acme/").text
    finally:
        process.terminate()
        process.communicate()

    assert 'src="http://127.0.0.1:18999/v1/pixel.js"' in page
