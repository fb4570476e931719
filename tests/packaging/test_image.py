import json
import subprocess

import pytest

import brokle
from tests.docker_engine import docker
from tests.house import BOOTSTRAP_KEY, House

pytestmark = [pytest.mark.docker]

EDITIONS = ["oss", "enterprise"]


class Container(House):
    """A whole Brokle in one container, with a volume of its own."""

    def __init__(self, edition, tmp_path, *arguments):
        super().__init__(tmp_path / edition)
        self.image, self.arguments, self.name = f"brokle/brokle:{edition}", arguments, ""

    def start(self, *, workers=1):
        environment = [f"BROKLE_BOOTSTRAP_KEY={BOOTSTRAP_KEY}", f"BROKLE_WORKERS={workers}"]
        given = [part for pair in environment for part in ("--env", pair)]
        self.name = docker("run", "--detach", "--publish", "127.0.0.1::8080", *given, *self.arguments, self.image)
        self.port = int(docker("port", self.name, "8080/tcp").splitlines()[0].rpartition(":")[2])
        self.wait_healthy()
        return self

    def log_tail(self):
        done = subprocess.run(["docker", "logs", "--tail", "60", self.name], capture_output=True, check=False)
        return (done.stdout + done.stderr).decode(errors="replace")

    def state(self):
        return json.loads(docker("inspect", "--format", "{{json .State}}", self.name))

    def remove(self):
        if self.name:
            docker("rm", "--force", "--volumes", self.name)


@pytest.fixture(scope="module")
def images(docker_host):
    for edition in EDITIONS:
        done = subprocess.run(
            [brokle.HOUSE / "deploy" / "build-image", edition], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]
        docker("image", "inspect", f"brokle/brokle:{edition}")


@pytest.fixture
def container(images, tmp_path, request):
    made = Container(request.param, tmp_path)
    try:
        yield made.start()
    finally:
        made.remove()


@pytest.mark.parametrize("container", EDITIONS, indirect=True)
def test_one_container_is_a_whole_brokle(container):
    assert container.get("/health").status == 200
    answer = container.chat("out of a container")
    assert answer.status == 200
    assert answer.json()["choices"][0]["message"]["content"] == "out of a container"
    assert b"/static/dist/console-" in container.get("/auth/login").body
    assert docker("exec", container.name, "id", "-u") == "10001"
    assert docker("exec", container.name, "brokle", "version") == brokle.__version__
    container.wait_for(lambda: container.state()["Health"]["Status"] == "healthy")

    docker("stop", "--time", "90", container.name)

    assert container.state()["ExitCode"] == 0


def test_the_editions_differ_by_the_license_command(images):
    listed = {edition: docker("run", "--rm", f"brokle/brokle:{edition}", "--help") for edition in EDITIONS}

    assert {edition: "license" in text for edition, text in listed.items()} == {"oss": False, "enterprise": True}


def test_what_a_volume_holds_outlives_its_container(images, tmp_path):
    volume = docker("volume", "create")
    try:
        first = Container("oss", tmp_path, "--volume", f"{volume}:/data")
        try:
            key_file = docker("exec", first.start().name, "cat", "/data/secrets/secret_key")
            docker("stop", "--time", "30", first.name)
        finally:
            first.remove()
        second = Container("oss", tmp_path, "--volume", f"{volume}:/data")
        try:
            assert docker("exec", second.start().name, "cat", "/data/secrets/secret_key") == key_file
            assert second.chat().status == 200
        finally:
            second.remove()
    finally:
        docker("volume", "rm", "--force", volume)


def test_nothing_of_the_building_machine_is_in_the_image(images):
    listed = docker("run", "--rm", "--entrypoint", "find", "brokle/brokle:oss", "/opt", "-maxdepth", "1")

    assert sorted(listed.splitlines()) == ["/opt", "/opt/brokle"]
    history = docker("history", "--no-trunc", "--format", "{{.CreatedBy}}", "brokle/brokle:oss")
    assert "deploy/ca" not in history
