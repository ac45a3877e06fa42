"""From signals and failing reviews to fingerprints.

A released version is never edited: its fingerprints are stored. A better one becomes v2.
"""

from __future__ import annotations
