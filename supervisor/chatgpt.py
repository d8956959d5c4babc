"""Where ChatGPT's backend is, which knows what a login is good for."""

USUAL = "https://chatgpt.com/backend-api/"


def place(base: str, chatgpt: str, codex: str) -> str:
    """An address below `chatgpt_base_url`, by which of two layouts of paths it has (observed)."""
    base = base.rstrip("/")
    return f"{base}{chatgpt if '/backend-api' in base else codex}"
