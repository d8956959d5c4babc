"""What the model is told about asking for more than the sandbox gives.

The arguments are the same for all tools that run commands.
"""

from typing import Any

PERMISSION_PROPERTIES: dict[str, Any] = {
    "sandbox_permissions": {
        "type": "string",
        "description": "`use_default`, or `require_escalated` to ask for a run without the "
        "sandbox.",
    },
    "justification": {
        "type": "string",
        "description": "With `require_escalated`: the question that the user is asked, one "
        "sentence that says what the command is for.",
    },
    "prefix_rule": {
        "type": "array",
        "items": {"type": "string"},
        "description": "With `require_escalated`: the first words of the command, as many as it "
        'takes to allow commands like it from now on, such as ["npm", "install"].',
    },
}

_PATHS = {"type": "array", "items": {"type": "string"}}

PROFILE: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "file_system": {
            "type": "object",
            "additionalProperties": False,
            "properties": {
                "read": {**_PATHS, "description": "Folders and files to read."},
                "write": {**_PATHS, "description": "Folders and files to write."},
            },
        },
        "network": {
            "type": "object",
            "additionalProperties": False,
            "properties": {
                "enabled": {"type": "boolean", "description": "Whether to reach the network."}
            },
        },
    },
}

_WIDER = {
    "sandbox_permissions": {
        "type": "string",
        "description": "`use_default`; `with_additional_permissions` to ask for a wider sandbox; "
        "`require_escalated` to ask for a run without one.",
    },
    "additional_permissions": {
        **PROFILE,
        "description": "With `with_additional_permissions`: what the sandbox lacks, as little as "
        "will do.",
    },
}


def with_wider_sandbox(spec: dict[str, Any]) -> dict[str, Any]:
    """The tool as it is offered to a model that may ask for a wider sandbox."""
    parameters = spec["parameters"]
    properties = {**parameters["properties"], **_WIDER}
    return {**spec, "parameters": {**parameters, "properties": properties}}
