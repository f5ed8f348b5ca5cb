"""Calls that each destination is given for one store: a second, unless an operator chooses otherwise, and at once.

hellotext           10  profiles, sessions. Hellotext documents no limit (contracts/hellotext CONTRACT B6; NOTES
                        assume 5 with bursts of 10). A 429 is repeated after the pause that it asks for, so ten cost
                        nothing where five are meant, and a first sync of 10,000 customers takes a quarter of an hour.
hellotext-events   100  events, acknowledgements, identifications: what the shop's pages would send there without
                        us, at an address that every browser calls. Only a shop with more is slowed down.
hellotext-messages   5  messages and how they stand: NOTES' assumption, since a message refused cannot be unsaid.
infobip            500  persons: gathered into requests of up to 200, of which an account takes five a second,
                        whatever stands here (contracts/infobip CONTRACT 2).
infobip-messages    50  messages: WhatsApp takes 4,000 a second, of SMS no limit is named (CONTRACT 5, 6); and
                        looks into the SMS log, at most two for a message whose answer was lost, of 120 a minute.
"""

from typing import Final

RATES: Final = {
    "hellotext": 10.0,
    "hellotext-events": 100.0,
    "hellotext-messages": 5.0,
    "infobip": 500.0,
    "infobip-messages": 50.0,
}

GATHERED: Final = {"infobip": 200}
"""Calls under way at once where they leave together: more than RATES lets come between two requests, and few enough
that even deletions, which leave one by one, have all had their turn within a call's minute."""
