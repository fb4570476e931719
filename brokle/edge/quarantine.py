"""Records that no sink would take and bytes that are none: kept apart for a person to look at."""

import json
import logging
from pathlib import Path

from brokle.edge.frames import Damage
from brokle.kernel.metrics import counter

log = logging.getLogger("brokle.edge.shipper")

_quarantined = counter("brokle_spool_quarantined_total", "Records no sink would take, or damaged ones.").of()


class Quarantine:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.count = 0

    def keep_record(self, name: str, kind: str, payload: bytes, reason: str) -> None:
        self._note()
        log.error("record quarantined", extra={"record_kind": kind, "batch": name})
        line = {"kind": kind, "reason": reason, "payload": payload.decode(errors="replace")}
        with (self._folder / f"{name}.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")

    def keep_damage(self, segment: str, damage: Damage) -> None:
        """Named by place, so that reading a segment again keeps it once."""
        place = self._folder / f"{segment}-{damage.offset}.bin"
        if place.exists():
            return
        self._note()
        place.write_bytes(damage.content)
        log.error("damaged spool record", extra={"segment": segment, "bytes": len(damage.content)})

    def _note(self) -> None:
        self._folder.mkdir(mode=0o700, exist_ok=True)
        self.count += 1
        _quarantined.inc()
