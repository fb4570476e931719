import subprocess
import sys

from brokle.kernel.locks import FileLock


def test_one_holds_it_until_it_lets_go(tmp_path):
    first, second = FileLock(tmp_path / "lock"), FileLock(tmp_path / "lock")

    assert first.acquire() is True
    assert second.acquire() is False
    first.release()
    assert second.acquire() is True
    assert (tmp_path / "lock").stat().st_mode & 0o777 == 0o600


def test_a_dead_process_holds_nothing(tmp_path):
    holder = (
        "import os, signal, sys; from pathlib import Path; from brokle.kernel.locks import FileLock;"
        "print(FileLock(Path(sys.argv[1])).acquire()); sys.stdout.flush(); os.kill(os.getpid(), signal.SIGKILL)"
    )
    done = subprocess.run([sys.executable, "-c", holder, str(tmp_path / "lock")], capture_output=True, check=False)

    assert (done.returncode, done.stdout) == (-9, b"True\n")
    assert FileLock(tmp_path / "lock").acquire() is True
