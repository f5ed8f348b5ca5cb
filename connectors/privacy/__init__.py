"""Forgetting a person: finding them in topics and tables, asking the worker to erase, looking whether anything is left.

DESIGN section 11, docs/privacy.md. What erases is an agent (streams/privacy.py); here is what a person at the command
line sees of it.
"""
