"""Hellotext: its REST client."""
