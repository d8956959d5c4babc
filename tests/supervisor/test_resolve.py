"""What a thread runs with, from nothing configured to everything overridden."""

import pytest

from protocol.catalogue import default_model
from protocol.errors import RpcError
from protocol.policy import (
    ActivePermissionProfile,
    DangerFullAccess,
    ExactPath,
    ProfileSelection,
    ReadOnly,
    SpecialPath,
    SpecialRoot,
    WorkspaceWrite,
)
from protocol.profile import entry, in_project, managed
from protocol.settings import Settings
from supervisor.config import Config
from supervisor.resolve import Overrides, resolve


@pytest.fixture
def home(tmp_path):
    home = tmp_path / "home"
    (tmp_path / "work").mkdir()
    home.mkdir()
    return home


@pytest.fixture(autouse=True)
def tmpdir(monkeypatch, tmp_path):
    monkeypatch.setenv("TMPDIR", str(tmp_path))


def settings(home, text="", **wanted) -> Settings:
    (home / "config.toml").write_text(text)
    config = Config.load(home, [])
    config.etc = home / "no-etc"
    return resolve(config, Overrides(**{"cwd": str(home.parent / "work"), **wanted}))


def sandbox(settings):
    active = settings.active_permission_profile
    return settings.sandbox_policy, active and active.id


def trusted(home, level="trusted"):
    return f'[projects."{home.parent}/work"]\ntrust_level = "{level}"\n'


def workspace(home, **changes):
    return WorkspaceWrite(**{"writable_roots": [f"{home}/memories"], **changes})


def test_nothing_configured_only_reads_and_asks(home):
    """Observed."""
    found = settings(home)

    assert sandbox(found) == (ReadOnly(), ":read-only")
    assert (found.approval_policy, found.approvals_reviewer) == ("on-request", "user")
    assert (found.model, found.provider.id, found.effort) == (default_model(), "openai", None)
    assert found.web_search == "cached"
    assert found.feature("unified_exec")


def test_an_opinion_on_the_project_opens_the_workspace(home):
    """Observed: even `untrusted` does, but then every command is asked about."""
    home_below_tmp = WorkspaceWrite()  # see `tmpdir`: its memories are writable already

    assert sandbox(settings(home, trusted(home))) == (home_below_tmp, ":workspace")
    wary = settings(home, trusted(home, "untrusted"))
    assert sandbox(wary) == (home_below_tmp, ":workspace")
    assert wary.approval_policy == "untrusted"

    text = trusted(home) + "[sandbox_workspace_write]\nnetwork_access = true\n"
    assert sandbox(settings(home, text)) == (workspace(home, network_access=True), None)


def test_a_sandbox_mode_has_no_active_profile(home):
    """Observed; the request's wins over the configuration's."""
    text = 'sandbox_mode = "danger-full-access"\n'

    assert sandbox(settings(home, text)) == (DangerFullAccess(), None)
    assert sandbox(settings(home, text, sandbox="read-only")) == (ReadOnly(), None)
    assert sandbox(settings(home, sandbox="workspace-write")) == (workspace(home), None)


def test_the_workspace_follows_its_table(home):
    """Observed: configured roots stand before the memories."""
    found = settings(
        home,
        'sandbox_mode = "workspace-write"\n[sandbox_workspace_write]\n'
        'writable_roots = ["/extra"]\nnetwork_access = true\n'
        "exclude_tmpdir_env_var = true\nexclude_slash_tmp = true\n",
    )

    roots = ["/extra", f"{home}/memories"]
    assert found.sandbox_policy == WorkspaceWrite(True, True, True, roots)


def test_full_access_searches_the_live_web_unless_told_otherwise(home):
    """Observed."""
    assert settings(home, sandbox="danger-full-access").web_search == "live"
    quiet = settings(home, 'web_search = "disabled"\n', sandbox="danger-full-access")
    assert quiet.web_search == "disabled"


HOUSE = """
[permissions.house.filesystem]
":root" = "read"
"/srv/data" = "write"
":tmpdir" = "write"
[permissions.house.filesystem.":project_roots"]
"." = "write"
".secrets" = "none"
[permissions.house.network]
enabled = true
"""


def test_a_profile_of_the_configuration_lists_its_places_sorted(home, monkeypatch):
    """Observed: by key, the memories last."""
    monkeypatch.setenv("TMPDIR", "/elsewhere")
    found = settings(home, 'default_permissions = "house"\n' + HOUSE)

    assert found.permission_profile == managed(
        [
            entry(ExactPath("/srv/data"), "write"),
            entry(in_project(), "write"),
            entry(in_project(".secrets"), "none"),
            entry(SpecialPath(SpecialRoot("root")), "read"),
            entry(SpecialPath(SpecialRoot("tmpdir")), "write"),
            entry(ExactPath(f"{home}/memories"), "write"),
        ],
        network=True,
    )
    assert found.active_permission_profile == ActivePermissionProfile("house")
    roots = ["/srv/data", f"{home}/memories"]
    assert found.sandbox_policy == WorkspaceWrite(True, False, True, roots)


def test_of_mode_and_profile_the_higher_layer_counts(home):
    """Observed: the profile within one layer."""
    both = 'default_permissions = ":read-only"\nsandbox_mode = "workspace-write"\n'
    assert sandbox(settings(home, both)) == (ReadOnly(), ":read-only")

    asked = settings(home, both, config={"sandbox_mode": "workspace-write"})
    assert sandbox(asked) == (workspace(home), None)


@pytest.mark.parametrize(
    ("text", "wanted", "message"),
    [
        (
            "",
            {"sandbox": "read-only", "permissions": ProfileSelection(":read-only")},
            "`permissions` cannot be combined with `sandbox`",
        ),
        (
            "",
            {"model_provider": "nobody"},
            "failed to load configuration: Model provider `nobody` not found",
        ),
        (
            "",
            {"config": {"model": 7}},
            (
                "failed to load configuration: invalid type: integer `7`, expected a string\n"
                "in `model`\n"
            ),
        ),
        (
            "",
            {"permissions": ProfileSelection("house")},
            "failed to load configuration: default_permissions requires a `[permissions]` table",
        ),
        (
            HOUSE,
            {},
            (
                "failed to load configuration: "
                "there are `[permissions]` profiles, but `default_permissions` names none"
            ),
        ),
    ],
)
def test_what_cannot_be_meant_is_refused(home, text, wanted, message):
    """Observed; the last in our words."""
    with pytest.raises(RpcError) as raised:
        settings(home, text, **wanted)

    assert raised.value.message == message


def test_a_broken_file_refuses_threads_until_it_is_mended(home):
    """Observed: the error names file, line and column."""
    with pytest.raises(RpcError) as raised:
        settings(home, "this is not toml\n")

    start = f"failed to load configuration: {home}/config.toml:1:6: "
    assert raised.value.message.startswith(start)
    assert settings(home, 'model = "m"\n').model == "m"


def test_a_request_overrides_the_configuration_for_its_thread_only(home):
    """Observed: typed fields win over `config`, that over config.toml."""
    text = 'model = "file"\nmodel_reasoning_effort = "low"\ndeveloper_instructions = "file"\n'

    found = settings(
        home,
        text,
        model="typed",
        service_tier="fast",
        base_instructions="base",
        config={"model": "dict", "model_reasoning_effort": "high", "features.goals": True},
    )

    assert (found.model, found.effort, found.service_tier) == ("typed", "high", "priority")
    assert (found.base_instructions, found.developer_instructions) == ("base", "file")
    assert found.feature("goals")
    assert settings(home, text).model == "file"


@pytest.mark.parametrize(("level", "counts"), [("trusted", True), ("untrusted", False)])
def test_rules_come_from_the_host_and_from_trusted_projects(home, level, counts):
    """Observed: a folder of rules beside each configuration file, which need not exist."""
    project = home.parent / "work" / ".codex"
    project.mkdir()

    found = settings(home, trusted(home, level)).rules_folders

    theirs = [str(project / "rules")] if counts else []
    assert found == [*theirs, str(home / "no-etc" / "rules")]


def test_instructions_may_stand_in_a_file(home):
    """Observed: model_instructions_file; ours: a missing one is named."""
    (home / "base.md").write_text("Be kind.\n")

    assert settings(home, 'model_instructions_file = "base.md"\n').base_instructions == "Be kind."
    with pytest.raises(RpcError, match=r"gone\.md"):
        settings(home, 'model_instructions_file = "gone.md"\n')


def test_a_folder_need_not_exist_and_may_be_relative(home, monkeypatch):
    """Observed: relative to the server's own folder, `~` is the user's."""
    monkeypatch.chdir(home.parent)
    monkeypatch.setenv("HOME", "/users/u")

    assert settings(home, cwd="work/../missing").cwd == str(home.parent / "missing")
    assert settings(home, cwd="~/x").cwd == "/users/u/x"
    assert settings(home, cwd="").cwd == str(home.parent)


def test_the_reviewer_goes_by_its_older_name(home):
    """Observed."""
    found = settings(home, approvals_reviewer="auto_review")

    assert found.approvals_reviewer == "guardian_subagent"


@pytest.mark.parametrize(("policy", "kept"), [(" No mail. ", "No mail."), (" ", None)])
def test_the_policy_for_a_reviewing_model_is_resolved(home, policy, kept):
    """Observed: `[auto_review] policy`, without the blanks around it."""
    found = settings(home, f'[auto_review]\npolicy = "{policy}"\n')
    assert found.guardian_policy == kept
