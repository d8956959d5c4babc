"""Questions of the server to its clients."""

from protocol import (
    account,
    approval,
    dynamic,
    legacy,
    mcp,
    permission,
    question,
)
from protocol.row import ask

COMMAND_APPROVAL = ask(
    "item/commandExecution/requestApproval",
    approval.CommandExecutionRequestApprovalParams,
    approval.CommandExecutionRequestApprovalResponse,
)
FILE_CHANGE_APPROVAL = ask(
    "item/fileChange/requestApproval",
    approval.FileChangeRequestApprovalParams,
    approval.FileChangeRequestApprovalResponse,
)
PERMISSIONS_APPROVAL = ask(
    "item/permissions/requestApproval",
    permission.PermissionsRequestApprovalParams,
    permission.PermissionsRequestApprovalResponse,
)
USER_INPUT = ask(
    "item/tool/requestUserInput",
    question.ToolRequestUserInputParams,
    question.ToolRequestUserInputResponse,
    waiting="waitingOnUserInput",
)
DYNAMIC_TOOL_CALL = ask(
    "item/tool/call",
    dynamic.DynamicToolCallParams,
    dynamic.DynamicToolCallResponse,
    waiting=None,
)
MCP_ELICITATION = ask(
    "mcpServer/elicitation/request",
    mcp.McpServerElicitationRequestParams,
    mcp.McpServerElicitationRequestResponse,
)
CHATGPT_TOKENS_REFRESH = ask(
    "account/chatgptAuthTokens/refresh",
    account.ChatgptAuthTokensRefreshParams,
    account.ChatgptAuthTokensRefreshResponse,
    waiting=None,
)
APPLY_PATCH_APPROVAL = ask(
    "applyPatchApproval", legacy.ApplyPatchApprovalParams, legacy.ApplyPatchApprovalResponse
)
EXEC_COMMAND_APPROVAL = ask(
    "execCommandApproval", legacy.ExecCommandApprovalParams, legacy.ExecCommandApprovalResponse
)
