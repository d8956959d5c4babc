"""What a user is told of old settings."""

from protocol.loading import ThreadResumeParams
from protocol.methods import DEPRECATION_NOTICE, THREAD_RESUME, TURN_COMPLETED
from supervisor.deprecated import notices
from supervisor.features import enabled
from supervisor.toml import Toml


def summaries(**settings):
    return [notice.summary for notice in notices(Toml(**settings), extended=False)]


def test_each_old_setting_has_its_notice():
    """Observed."""
    assert summaries(features={"goals": True}) == []
    found = summaries(
        features={"collab": True, "use_legacy_landlock": True, "web_search_request": True},
        experimental_use_unified_exec_tool=True,
        experimental_instructions_file="x.md",
    )
    assert [text.split("`")[1] for text in found] == [
        "[features].collab",
        "[features].experimental_use_unified_exec_tool",
        "[features].use_legacy_landlock",
        "[features].web_search_request",
        "experimental_instructions_file",
    ]


def test_an_old_name_of_a_feature_still_holds():
    """Observed: its new name wins where both are set."""
    assert not enabled(Toml(features={"collab": False}))["multi_agent"]
    assert enabled(Toml(features={"collab": False, "multi_agent": True}))["multi_agent"]
    assert enabled(Toml(features={"multi_agent": True, "collab": False}))["multi_agent"]


async def test_whoever_loads_a_thread_is_told_once(connect_ws, home, provider):
    """Observed: who joins it later is not."""
    config = home / "config.toml"
    config.write_text(config.read_text() + "\n[features]\nconnectors = true\n")
    client, other = await connect_ws(), await connect_ws()
    thread = await client.start(persist_extended_history=True)
    for name in ("persistExtendedHistory", "connectors"):
        assert name in (await client.next(DEPRECATION_NOTICE)).summary
    await client.begin(thread)
    await client.next(TURN_COMPLETED)
    await other.call(THREAD_RESUME, ThreadResumeParams(thread_id=thread.id))

    assert DEPRECATION_NOTICE.name not in other.methods
