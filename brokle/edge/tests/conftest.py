import os

import pytest

from brokle.edge.resp import RedisLink


@pytest.fixture
async def redis():
    link = RedisLink(os.environ["REDIS_URL"])  # noqa: TID251 - the suite's own Redis
    await link.start()
    await link.ask("FLUSHDB")
    yield link
    await link.stop()
