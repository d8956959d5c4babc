"""What each of the three requests that load a thread makes of the configuration."""

import stat
import uuid
from types import SimpleNamespace

import pytest

from protocol.initialize import ClientInfo
from protocol.loading import ThreadForkParams, ThreadResumeParams, ThreadStartParams
from protocol.policy import ReadOnly, WorkspaceWrite
from supervisor.config import Config
from supervisor.settings import (
    for_fork,
    for_resume,
    for_start,
    installation_id,
    keeps_model,
)

PROVIDERS = '[model_providers.a]\nname = "A"\n[model_providers.b]\nname = "B"\n'


@pytest.fixture
def host(tmp_path):
    home, work = tmp_path / "home", tmp_path / "work"
    home.mkdir()
    work.mkdir()
    (home / "config.toml").write_text('model = "m"\nmodel_provider = "a"\n' + PROVIDERS)
    config = Config(home, etc=home / "no-etc")
    return SimpleNamespace(home=home, version="1.2.3", config=config, work=str(work))


CLIENT = SimpleNamespace(info=ClientInfo("tester", "9"))


def stored(host):
    return SimpleNamespace(cwd=host.work, model_provider="b")


def test_settings_name_client_version_and_installation(host):
    """Observed: the originator is the client's name."""
    settings = for_start(host, CLIENT, ThreadStartParams(cwd=host.work))

    assert (settings.originator, settings.cli_version) == ("tester", "1.2.3")
    assert settings.user_agent.startswith("tester/1.2.3 (")
    assert settings.installation_id == installation_id(host.home)


def test_the_installation_id_is_made_once(tmp_path):
    """Observed: a uuid in a file of mode 0644; ours: a spoilt one is replaced."""
    made = installation_id(tmp_path)
    file = tmp_path / "installation_id"

    assert str(uuid.UUID(made)) == made == file.read_text()
    assert installation_id(tmp_path) == made
    assert stat.S_IMODE(file.stat().st_mode) == 0o644
    file.write_text("spoilt")
    assert installation_id(tmp_path) not in {made, "spoilt"}


def test_a_thread_that_may_write_makes_its_project_trusted(host):
    """Observed: only with a cwd in the request, and never by reading."""
    for_start(host, CLIENT, ThreadStartParams(cwd=host.work, sandbox="read-only"))
    for_start(host, CLIENT, ThreadStartParams(sandbox="workspace-write"))
    assert host.config.trust_level(host.work) is None

    settings = for_start(host, CLIENT, ThreadStartParams(cwd=host.work, sandbox="workspace-write"))
    assert isinstance(settings.sandbox_policy, WorkspaceWrite)
    assert host.config.trust_level(host.work) == "trusted"


def test_a_project_that_the_user_distrusts_stays_so(host):
    """Observed."""
    file = host.home / "config.toml"
    text = file.read_text() + f'[projects."{host.work}"]\ntrust_level = "untrusted"\n'
    file.write_text(text)

    for_start(host, CLIENT, ThreadStartParams(cwd=host.work, sandbox="workspace-write"))

    assert file.read_text() == text


def test_trust_lets_the_projects_own_file_speak_at_once(host):
    """Observed: the thread that made the project trusted obeys its file."""
    codex = host.home.parent / "work" / ".codex"
    codex.mkdir()
    (codex / "config.toml").write_text('model = "theirs"\n')
    params = ThreadStartParams(cwd=host.work, sandbox="workspace-write")

    assert for_start(host, CLIENT, params).model == "theirs"


def test_a_resumed_thread_goes_on_in_its_folder_with_its_provider(host):
    """Observed: approval and sandbox follow the configuration of today."""
    params = ThreadResumeParams(thread_id="t", approval_policy="never")
    settings = for_resume(host, CLIENT, params, stored(host))

    assert (settings.provider.id, settings.cwd) == ("b", host.work)
    assert (settings.approval_policy, settings.sandbox_policy) == ("never", ReadOnly())
    assert keeps_model(params)


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({"model": "new"}, ("new", "a", None)),
        ({"model_provider": "b"}, ("m", "b", None)),
        ({"config": {"model_reasoning_effort": "minimal"}}, ("m", "a", "minimal")),
    ],
)
def test_naming_model_provider_or_effort_forgets_the_other_two(host, params, expected):
    """Observed."""
    asked = ThreadResumeParams(thread_id="t", **params)
    settings = for_resume(host, CLIENT, asked, stored(host))

    assert (settings.model, settings.provider.id, settings.effort) == expected
    assert not keeps_model(asked)


def test_a_thread_without_a_file_is_resumed_from_the_configuration(host):
    """Observed: by history."""
    assert for_resume(host, CLIENT, ThreadResumeParams(thread_id="t"), None).model == "m"


def test_a_fork_keeps_the_folder_and_nothing_else(host, tmp_path):
    """Observed."""
    settings = for_fork(host, CLIENT, ThreadForkParams(thread_id="t"), stored(host))
    assert (settings.model, settings.provider.id, settings.cwd) == ("m", "a", host.work)

    other = for_fork(host, CLIENT, ThreadForkParams(thread_id="t", cwd=str(tmp_path)), stored(host))
    assert other.cwd == str(tmp_path)
