"""Erasure of one person's data: what is found, what goes, and the receipt.

See docs/how-to/erase.md.
"""
