"""What a model's response means to a client."""

from tests.workers.talking import call, message
from workers.item import query_of, web_action
from workers.provider import (
    ItemAdded,
    ItemDone,
    ReasoningDelta,
    SummaryDelta,
    SummaryPartAdded,
    TextDelta,
    Usage,
)

THOUGHT = {"type": "reasoning", "id": "r1", "summary": [], "encrypted_content": "x"}


async def test_a_message_begins_empty_grows_and_is_completed(talk):
    """Observed."""
    await talk.turn([message("hi there", cuts=[2])])

    assert talk.items == [
        ("started", "agentMessage", ""),
        ("delta", "agentMessage", "hi"),
        ("delta", "agentMessage", " there"),
        ("completed", "agentMessage", "hi there"),
    ]


async def test_a_message_that_was_not_begun_is_begun_when_it_ends(talk):
    """Observed: and with all of its text."""
    await talk.turn([message("hi")[-1:]])

    assert talk.items == [("started", "agentMessage", "hi"), ("completed", "agentMessage", "hi")]


async def test_deltas_of_nothing_are_passed_over(talk):
    """Ours: a delta needs an item that clients know of."""
    await talk.turn([[TextDelta("ghost", "boo")], message("hi")])

    assert "boo" not in [text for _, _, text in talk.items]


async def test_each_message_of_a_response_is_its_own_item(talk):
    """Observed."""
    await talk.turn([message("one"), message("two", "m2")])

    assert [p["itemId"] for p in talk.told("item/agentMessage/delta")] == ["m1", "m2"]


async def test_quotes_and_newlines_survive_the_hand_made_deltas(talk):
    """Ours: what stands around a delta is encoded once, only the text each time."""
    text = 'say "hi"\n\\ \u2028 ü 🙂'
    await talk.turn([message(text, 'id "quoted"')])

    [delta] = talk.told("item/agentMessage/delta")
    assert (delta["delta"], delta["itemId"]) == (text, 'id "quoted"')


async def test_thoughts_show_their_summary_and_their_text(talk):
    """Observed: the members that say which part a delta belongs to."""
    done = {
        **THOUGHT,
        "summary": [{"type": "summary_text", "text": "sum"}],
        "content": [{"type": "reasoning_text", "text": "raw"}],
    }
    await talk.turn(
        [
            [
                ItemAdded(dict(THOUGHT)),
                SummaryPartAdded("r1", 0),
                SummaryDelta("r1", 0, "sum"),
                ReasoningDelta("r1", 1, "raw"),
                ItemDone(done),
            ],
            message("hi"),
        ]
    )

    [part] = talk.told("item/reasoning/summaryPartAdded")
    assert (part["itemId"], part["summaryIndex"]) == ("r1", 0)
    [summary] = talk.told("item/reasoning/summaryTextDelta")
    assert (summary["delta"], summary["summaryIndex"]) == ("sum", 0)
    [text] = talk.told("item/reasoning/textDelta")
    assert (text["delta"], text["contentIndex"]) == ("raw", 1)
    completed = talk.told("item/completed")[1]["item"]
    assert (completed["summary"], completed["content"]) == (["sum"], ["raw"])


async def test_calls_are_no_items_of_their_own(talk):
    """Observed: the tool shows what there is to see."""
    await talk.turn([[call("update_plan", plan=[])]], [message("hi")])

    assert {kind for _, kind, _ in talk.items} == {"agentMessage"}


async def test_a_search_of_the_web_is_shown_with_its_query(talk):
    """Observed: nothing of it is known at the beginning."""
    search = {"type": "web_search_call", "id": "w1", "status": "completed"}
    action = {"type": "search", "query": "owls"}
    await talk.turn(
        [[ItemAdded(dict(search)), ItemDone({**search, "action": action})], message("hi")]
    )

    [begun] = [p["item"] for p in talk.told("item/started") if p["item"]["type"] == "webSearch"]
    [done] = [p["item"] for p in talk.told("item/completed") if p["item"]["type"] == "webSearch"]
    assert (begun["query"], begun["action"]) == ("", {"type": "other"})
    assert (done["query"], done["action"]["query"]) == ("owls", "owls")


def test_a_search_is_named_by_what_it_looked_for():
    """Observed."""
    named = {
        "owls": {"type": "search", "query": "owls"},
        "a ...": {"type": "search", "queries": ["a", "b"]},
        "a": {"type": "search", "queries": ["a"]},
        "http://x": {"type": "open_page", "url": "http://x"},
        "'y' in http://x": {"type": "find_in_page", "url": "http://x", "pattern": "y"},
        "y": {"type": "find_in_page", "pattern": "y"},
        "": {"type": "news"},
    }

    assert {query_of(web_action(action)): action for action in named.values()} == named
    assert query_of(web_action(None)) == ""


async def test_the_tokens_of_the_responses_add_up(talk):
    """Observed: `last` is one response, `total` all of the thread."""
    usage = Usage(input_tokens=10, output_tokens=5, total_tokens=15)
    talk.model.usage = usage
    await talk.turn([[call("update_plan", plan=[])]], [message("hi")])

    told = talk.told("thread/tokenUsage/updated")[-1]["tokenUsage"]
    assert (told["last"]["totalTokens"], told["total"]["totalTokens"]) == (15, 30)
