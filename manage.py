#!/usr/bin/env python
"""Django's own commands. `tracehub` (see `tracehub --help`) is what operators use."""

from __future__ import annotations

import os
import sys

from django.core.management import execute_from_command_line

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tracehub.settings")
    execute_from_command_line(sys.argv)
