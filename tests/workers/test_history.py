"""What a later request repeats of what was said."""

import pytest

from workers.history import History, kept, message, message_text, output

CALL = {"type": "function_call", "name": "x", "arguments": "{}", "call_id": "c1"}


@pytest.mark.parametrize(
    ("said", "repeated"),
    [
        (
            {"type": "message", "id": "m", "status": "completed", "role": "assistant",
             "content": [{"type": "output_text", "text": "hi", "annotations": [], "logprobs": []}]},
            {"type": "message", "role": "assistant",
             "content": [{"type": "output_text", "text": "hi"}]},
        ),
        (
            {"type": "reasoning", "id": "r", "summary": [], "encrypted_content": "x"},
            {"type": "reasoning", "summary": [], "content": None, "encrypted_content": "x"},
        ),
        ({**CALL, "id": "f", "status": "completed"}, CALL),
        (
            {"type": "local_shell_call", "id": "l", "call_id": "c", "status": "completed",
             "action": {"type": "exec", "command": ["ls"]}},
            {"type": "local_shell_call", "call_id": "c", "status": "completed",
             "action": {"type": "exec", "command": ["ls"]}},
        ),
        ({"type": "image_generation_call", "id": "i"}, None),
        ({}, None),
    ],
)  # fmt: skip
def test_an_item_is_reduced_to_what_a_request_takes_back(said, repeated):
    """Observed: the members that the reference server repeats of each kind."""
    assert kept(said) == repeated


@pytest.mark.parametrize(
    ("kind", "answer"),
    [
        ("function_call", "function_call_output"),
        ("local_shell_call", "function_call_output"),
        ("custom_tool_call", "custom_tool_call_output"),
    ],
)
def test_each_kind_of_call_has_its_kind_of_output(kind, answer):
    """Responses API: a custom tool's output is of another type than a function's."""
    given = output({"type": kind, "call_id": "c1"}, "done")

    assert given == {"type": answer, "call_id": "c1", "output": "done"}


def test_a_call_that_was_never_answered_gets_an_output_behind_it():
    """Ours: a killed worker leaves such calls, and the provider refuses them."""
    later = message("user", "hi")
    history = History([CALL, later])

    made_up = {"type": "function_call_output", "call_id": "c1", "output": "aborted"}
    assert history.for_request() == [CALL, made_up, later]
    assert len(history) == 2  # the file is not rewritten


def test_a_call_that_was_answered_is_left_as_it_is():
    """Ours: wherever its output stands."""
    answer = output(CALL, "done")
    history = History([CALL, message("user", "hi"), answer])

    assert history.for_request() == history.items


def test_the_text_of_a_message_is_that_of_its_parts():
    """Ours."""
    parts = [{"type": "output_text", "text": "a"}, {"type": "refusal"}, {"text": "b"}]

    assert message_text({"content": parts}) == "ab"
    assert message_text({}) == ""


def test_a_history_does_not_share_the_list_that_it_began_with():
    """Ours: a fork goes on without its source."""
    begun = [CALL]
    History(begun).add(message("user", "hi"))

    assert begun == [CALL]
