"""What the model has been told and has said: the items that each request repeats.

Items are the Responses API's own JSON.  What a response adds is reduced to the members that a
request takes back, so that history, rollout and request are the same bytes.
"""

from typing import Any

from protocol.hookprompt import tagged
from protocol.item import HookPromptFragment

Item = dict[str, Any]

_KEPT: dict[str, tuple[str, ...]] = {
    "message": ("type", "role", "content", "phase"),
    "reasoning": ("type", "summary", "content", "encrypted_content"),
    "function_call": ("type", "name", "namespace", "arguments", "call_id"),
    "custom_tool_call": ("type", "call_id", "name", "input"),
    "local_shell_call": ("type", "call_id", "status", "action"),
    "web_search_call": ("type", "status", "action"),
}
_ALWAYS = {"reasoning": ("summary", "content", "encrypted_content")}  # sent back even when null
OUTPUTS = {
    "function_call": "function_call_output",
    "local_shell_call": "function_call_output",
    "custom_tool_call": "custom_tool_call_output",
}
ABORTED = (
    "<turn_aborted>\nThe user interrupted the previous turn on purpose. Commands and patches that "
    "were under way may have been carried out in part.\n</turn_aborted>"
)


def kept(item: Item) -> Item | None:
    """The item as a later request repeats it; None for kinds that no request takes back."""
    members = _KEPT.get(item.get("type", ""))
    if members is None:
        return None
    always = _ALWAYS.get(item["type"], ())
    reduced = {m: item.get(m) for m in members if item.get(m) is not None or m in always}
    if item["type"] == "message":
        reduced["content"] = [_part(part) for part in parts(item)]
    return reduced


def parts(item: Item, member: str = "content") -> list[Item]:
    """The content parts of an item, none when it has no such member."""
    return item.get(member) or []


def _part(part: Item) -> Item:
    return {"type": part["type"], "text": part["text"]} if "text" in part else part


def output(call: Item, content: str | list[Item]) -> Item:
    """What a call of the model gets back."""
    return {"type": OUTPUTS[call["type"]], "call_id": call.get("call_id", ""), "output": content}


def hook_prompt(fragments: list[HookPromptFragment]) -> Item:
    """What hooks have the model go on with."""
    content = [{"type": "input_text", "text": tagged(part)} for part in fragments]
    return {"type": "message", "role": "user", "content": content}


def message(role: str, text: str) -> Item:
    return {"type": "message", "role": role, "content": [{"type": "input_text", "text": text}]}


def message_text(item: Item) -> str:
    """The text of an assistant's message, its parts joined."""
    return "".join(part.get("text", "") for part in parts(item))


def is_word(item: Item) -> bool:
    """Whether the item is something that was said: not a call, not thought, not said in passing."""
    said = item.get("type") == "message"
    return said and (item.get("role") != "assistant" or item.get("phase") == "final_answer")


def words(items: list[Item]) -> list[Item]:
    return [item for item in items if is_word(item)]


class History:
    """The items of one thread, oldest first."""

    def __init__(self, items: list[Item] | None = None) -> None:
        self.items: list[Item] = list(items or ())

    def __len__(self) -> int:
        return len(self.items)

    def add(self, *items: Item) -> None:
        self.items.extend(items)

    def for_request(self) -> list[Item]:
        """All items, with an output made up for each call that never got one.

        The provider refuses a call without its output; a killed worker leaves such calls behind.
        """
        answered = {item.get("call_id") for item in self.items if item["type"].endswith("_output")}
        complete: list[Item] = []
        for item in self.items:
            complete.append(item)
            if item["type"] in OUTPUTS and item.get("call_id") not in answered:
                complete.append(output(item, "aborted"))
        return complete
