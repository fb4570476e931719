import threading
from concurrent.futures import ThreadPoolExecutor

from brokle.engines.layout import Layout


def test_whoever_asks_at_once_gets_one_secret(tmp_path):
    layout = Layout.at(tmp_path)
    layout.prepare()
    for number in range(20):
        barrier = threading.Barrier(8)

        def ask(name=f"secret_{number}", barrier=barrier):
            barrier.wait(60)
            return layout.secret(name)

        with ThreadPoolExecutor(8) as pool:
            told = {done.result() for done in [pool.submit(ask) for _ in range(8)]}

        assert told == {layout.secret(f"secret_{number}")}
    assert {path.stat().st_mode & 0o777 for path in layout.secrets.iterdir()} == {0o600}
    assert len(list(layout.secrets.iterdir())) == 20
