import signal
import sys

from brokle.engines.process import Child

_COUNTS = """
import signal, sys, time
count = 0
def stop(number, frame):
    global count
    count += 1
signal.signal(signal.SIGTERM, stop)
print("ready", flush=True)
ends = None
while ends is None or time.monotonic() < ends:
    time.sleep(0.01)
    if count and ends is None:
        ends = time.monotonic() + 0.3
sys.exit(count)
"""


def test_a_child_is_asked_to_stop_once(tmp_path):
    log = tmp_path / "log"
    child = Child("counter", [sys.executable, "-c", _COUNTS], {}, log_path=log)
    for _ in range(2):
        child.start()
        while "ready" not in log.read_text():
            assert child.is_running()
        child.signal(signal.SIGTERM)
        child.signal(signal.SIGTERM)
        child.stop()

        assert child.exit_code() == 1
        log.write_text("")
