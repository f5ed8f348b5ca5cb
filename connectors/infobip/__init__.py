"""The client of Infobip: People, SMS and WhatsApp (contracts/infobip CONTRACT 2, 3, 5, 6)."""
