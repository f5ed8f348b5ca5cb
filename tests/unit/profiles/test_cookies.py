"""All stores share one HTTP client, and nothing of one store goes along with another's calls."""

import httpx

from streams.calls import handlers
from tests.stores import stores_of


async def test_a_cookie_of_one_store_is_not_sent_for_another():
    """A vendor's session cookie would tie the calls of two businesses together."""
    requests = []

    def answer(request):
        requests.append(request)
        return httpx.Response(200, json={}, headers={"Set-Cookie": "session=of-acme; Path=/"})

    http = httpx.AsyncClient(transport=httpx.MockTransport(answer))
    handlers(stores_of(), http)
    for _ in range(2):
        await http.post("http://hellotext.test/v1/profiles", json={})
    assert ["cookie" in request.headers for request in requests] == [False, False]
