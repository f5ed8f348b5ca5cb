"""Infobip: its REST client."""
