"""How passwords are hashed: argon2id, with a cap on how many at once, because each takes its memory."""

import threading
from typing import Any

from django.contrib.auth.hashers import Argon2PasswordHasher

_AT_ONCE = 4
_turn = threading.BoundedSemaphore(_AT_ONCE)


class Argon2(Argon2PasswordHasher):
    """46 MiB, 2 passes, 1 lane: twice the work of OWASP's first choice (46 MiB, 1 pass).

    A guess costs an attacker that memory; a process spends at most four times that, however many sign in at once.
    """

    memory_cost = 47104
    time_cost = 2
    parallelism = 1

    def encode(self, password: str, salt: str) -> Any:
        with _turn:
            return super().encode(password, salt)

    def verify(self, password: str, encoded: str) -> bool:
        with _turn:
            return bool(super().verify(password, encoded))
