"""Who is a machine: a corpus of user agents as they stand in access logs."""

import pytest

from streams.tracking_rules.leaving_out import is_bot, is_fetcher
from tests.unit.tracking.conftest import PHONE, told

SAFARI = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_4 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko)"
CHROME = "AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/122.0.6261.64 Mobile Safari/537.36"
FETCHERS = {
    "WhatsApp, Android": "WhatsApp/2.24.5.76 A",
    "WhatsApp, iPhone": "WhatsApp/2.23.20.0 i",
    "WhatsApp, Windows": "WhatsApp/2.2413.51 W",
    "Signal": "WhatsApp/2",
    "Telegram": "TelegramBot (like TwitterBot)",
    "Slack, links": "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)",
    "Slack, pictures": "Slack-ImgProxy (+https://api.slack.com/robots)",
    "Facebook, Messenger": "facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)",
    "Facebook, Instagram": "meta-externalagent/1.1 (+https://developers.facebook.com/docs/sharing/webmasters/crawler)",
    "iMessage": "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_11_1) AppleWebKit/601.2.4 (KHTML, like Gecko) Version/9.0.1 "
    "Safari/601.2.4 facebookexternalhit/1.1 Facebot Twitterbot/1.0",
    "LinkedIn": "LinkedInBot/1.0 (compatible; Mozilla/5.0; Apache-HttpClient +http://www.linkedin.com)",
    "Discord": "Mozilla/5.0 (compatible; Discordbot/2.0; +https://discordapp.com)",
    "Skype, Teams": "Mozilla/5.0 (Windows NT 6.1; WOW64) SkypeUriPreview Preview/0.5 skype-url-preview@microsoft.com",
    "X": "Twitterbot/1.0",
    "KakaoTalk": "facebookexternalhit/1.1;kakaotalk-scrap/1.0; +https://devtalk.kakao.com/",
    "LINE": "facebookexternalhit/1.1;line-poker/1.0",
    "Viber": "Viber/21 CFNetwork/1408 Darwin/22",
    "Snapchat": "Snap URL Preview Service; bot; snapchat; https://developers.snap.com/robots",
    "Bluesky": "Mozilla/5.0 (compatible; Bluesky Cardyb/1.1; mailto:support@bsky.app)",
    "Outlook": "Mozilla/4.0 (compatible; ms-office; MSOffice 16)",
}
BOTS = {
    "Googlebot": "Mozilla/5.0 (Linux; Android 6.0.1; Nexus 5X) AppleWebKit/537.36 Chrome/122 Mobile Safari/537.36 "
    "(compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "Bing": "Mozilla/5.0 AppleWebKit/537.36 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm) Chrome/112",
    "GPTBot": "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; GPTBot/1.0; +https://openai.com/gptbot)",
    "Bytespider": "Mozilla/5.0 (Linux; Android 5.0) AppleWebKit/537.36 Mobile Safari/537.36 (compatible; Bytespider)",
    "Ahrefs": "Mozilla/5.0 (compatible; AhrefsBot/7.0; +http://ahrefs.com/robot/)",
    "headless": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 HeadlessChrome/122 Safari/537.36",
    "Lighthouse": "Mozilla/5.0 (Linux; Android 11) AppleWebKit/537.36 Chrome/109 Mobile Chrome-Lighthouse",
}
LIBRARIES = {
    "curl": "curl/8.5.0",
    "requests": "python-requests/2.31.0",
    "httpx": "python-httpx/0.28.1",
    "Go": "Go-http-client/1.1",
    "Node": "node",
    "axios": "axios/1.7.2",
    "Android": "okhttp/4.12.0",
}
PEOPLE = {
    "Chrome, Android": PHONE,
    "Safari": f"{SAFARI} Version/17.4 Mobile/15E148 Safari/604.1",
    "Firefox": "Mozilla/5.0 (X11; Ubuntu; Linux x86_64; rv:123.0) Gecko/20100101 Firefox/123.0",
    "Edge": "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/122.0.0.0 Safari/537.36 Edg/122.0.0.0",
    "Samsung": "Mozilla/5.0 (Linux; Android 14; SAMSUNG SM-A546E) AppleWebKit/537.36 SamsungBrowser/24.0 Chrome/117 "
    "Mobile Safari/537.36",
    "WhatsApp's own browser": f"Mozilla/5.0 (Linux; Android 14; SM-S911B; wv) {CHROME} WhatsApp/2.24.5.76",
    "WhatsApp's, iPhone": f"{SAFARI} Mobile/15E148 WhatsApp/24.5.75",
    "Instagram's": f"{SAFARI} Mobile/15E148 Instagram 324.0.3.27.50 (iPhone14,5; iOS 17_4; pt_BR; pt; scale=3.00)",
    "Facebook's": f"{SAFARI} Mobile/15E148 [FBAN/FBIOS;FBAV/455.0.0.40.109;FBDV/iPhone14,5;FBSN/iOS;FBLC/pt_BR]",
    "Telegram's": f"Mozilla/5.0 (Linux; Android 13; Pixel 7; wv) {CHROME} Telegram-Android/10.6.1 (Google Pixel 7)",
    "LinkedIn's": f"{SAFARI} Mobile/15E148 [LinkedInApp]/9.29.7284",
    "Pinterest's": f"{SAFARI} Mobile/15E148 [Pinterest/iOS]",
    "X's": f"{SAFARI} Mobile/21D50 Twitter for iPhone/10.29",
    "TikTok's": f"Mozilla/5.0 (Linux; Android 13; M2101K6G; wv) {CHROME} trill_330303 BytedanceWebview/d8a21c6",
    "LINE's": f"{SAFARI} Mobile/15E148 Safari Line/14.0.0",
    "Viber's": f"{SAFARI} Mobile/15E148 Viber/21.8.0",
    "WeChat's": "Mozilla/5.0 (Linux; Android 13) Chrome/116 Mobile MicroMessenger/8.0.47 WeChat/arm64",
    "Snapchat's": f"{SAFARI} Version/17.3 Mobile/15E148 Snapchat/12.72.0.35 (iPhone15,2; iOS 17.3.1; gzip)",
    "KakaoTalk's": "Mozilla/5.0 (Linux; Android 13; SM-G991N) AppleWebKit/537.36 Chrome/121 Mobile;KAKAOTALK 2410410",
    "Google's app": f"{SAFARI} GSA/304.0.603406840 Mobile/15E148 Safari/604.1",
    "a phone named Cubot": "Mozilla/5.0 (Linux; Android 11; CUBOT X30) Chrome/98.0 Mobile Safari/537.36",
    "Opera Mini": "Opera/9.80 (Android; Opera Mini/77.0.2254/191.282; U; pt) Presto/2.12.423 Version/12.16",
}


@pytest.mark.parametrize("name", FETCHERS)
def test_preview_fetchers_are_bots(name):
    """Nobody clicked when a messenger drew a preview."""
    assert is_fetcher(FETCHERS[name])
    assert is_bot(FETCHERS[name])


@pytest.mark.parametrize("name", BOTS)
def test_crawlers_are_bots(name):
    """But no preview fetchers."""
    assert is_bot(BOTS[name])
    assert not is_fetcher(BOTS[name])


@pytest.mark.parametrize("name", LIBRARIES)
def test_a_program_that_sends_an_event_means_it(name):
    """A library follows no link of a message and runs no page: it is a back end, an app, or somebody's test."""
    assert not is_bot(LIBRARIES[name])
    assert not is_fetcher(LIBRARIES[name])


@pytest.mark.parametrize("name", PEOPLE)
def test_people_are_people(name):
    """Above all those inside a messenger: they are who the campaigns are for."""
    assert not is_bot(PEOPLE[name])
    assert not is_fetcher(PEOPLE[name])


async def test_a_bots_event_is_filtered_with_its_reason(agent, page):
    """It has its fate, and leaves no trace that would make a visitor's event a repetition."""
    await agent.feed(page(agent=BOTS["Googlebot"], event_id="e"), page(agent=FETCHERS["iMessage"]), page(event_id="e"))

    assert agent.reasons == ["bot", "bot"]
    assert len(agent.events) == 1


async def test_a_back_end_that_passes_on_a_fetchers_name(agent):
    """The visitor whom it speaks for is a machine; its own library's name is not held against it."""
    body = {"action": "page.viewed", "session": "S"}
    await agent.feed(
        told(body, agent=FETCHERS["WhatsApp, Android"], server=True), told(body, agent=LIBRARIES["curl"], server=True)
    )

    assert (agent.reasons, len(agent.events)) == (["bot"], 1)
