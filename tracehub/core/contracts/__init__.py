"""Contracts: what the output of a prompt or span must look like, and where it does not.

`bounds` says whether a schema can be used safely, `checking` compares an output with it.
"""

from __future__ import annotations
