"""A stand-in of Infobip: People, SMS, WhatsApp, and the reports that it sends (contracts/infobip CONTRACT)."""
