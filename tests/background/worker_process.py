"""The real worker with three more tasks that tell what they did."""

import os
import time

import redis

from brokle.celery import app
from brokle.cli.worker import main

_notes = redis.Redis.from_url(os.environ["REDIS_URL"].replace("db=0", "db=2"))


@app.task(name="tests.note")
def note(name: str) -> None:
    _notes.rpush("done", name)


@app.task(name="tests.hold")
def hold(name: str) -> None:
    """Works until it is told to end."""
    _notes.rpush("begun", name)
    while not _notes.exists("release"):
        time.sleep(0.01)
    _notes.rpush("done", name)


if __name__ == "__main__":
    main([])
