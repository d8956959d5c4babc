"""Marketplaces of plugins: folders of this machine, or of a git repository."""

from protocol.wire import Wire


class MarketplaceAddParams(Wire):
    """`source` is `owner/repo`, a git URL, or a folder."""

    source: str
    ref_name: str | None = None
    sparse_paths: list[str] | None = None


class MarketplaceAddResponse(Wire):
    already_added: bool
    installed_root: str
    marketplace_name: str


class MarketplaceRemoveParams(Wire):
    marketplace_name: str


class MarketplaceRemoveResponse(Wire):
    marketplace_name: str
    installed_root: str | None = None


class MarketplaceUpgradeParams(Wire):
    marketplace_name: str | None = None


class MarketplaceUpgradeErrorInfo(Wire):
    marketplace_name: str
    message: str


class MarketplaceUpgradeResponse(Wire):
    errors: list[MarketplaceUpgradeErrorInfo]
    selected_marketplaces: list[str]
    upgraded_roots: list[str]
