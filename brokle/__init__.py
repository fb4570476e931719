"""Brokle: route, observe, host, sell, bill and target, in one container."""

import sys
from pathlib import Path

__version__ = "0.1.0"

_installed = Path(__file__).parent / "_house"
HOUSE = _installed if _installed.is_dir() else Path(__file__).parent.parent

if str(HOUSE) not in sys.path:
    sys.path.insert(0, str(HOUSE))
