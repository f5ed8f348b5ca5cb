"""The front door: command line, settings, and what runs all processes together."""
