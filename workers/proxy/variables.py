"""How programs are told of the proxy; the names are the reference server's (observed)."""

_HTTP = (
    *("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"),
    *("WS_PROXY", "WSS_PROXY", "ws_proxy", "wss_proxy"),
    *("npm_config_proxy", "npm_config_http_proxy", "npm_config_https_proxy"),
    *("NPM_CONFIG_PROXY", "NPM_CONFIG_HTTP_PROXY", "NPM_CONFIG_HTTPS_PROXY"),
    *("YARN_HTTP_PROXY", "YARN_HTTPS_PROXY", "BUNDLE_HTTP_PROXY", "BUNDLE_HTTPS_PROXY"),
    *("PIP_PROXY", "DOCKER_HTTP_PROXY", "DOCKER_HTTPS_PROXY"),
)
_ALL = ("ALL_PROXY", "all_proxy", "FTP_PROXY", "ftp_proxy")
_NONE = (
    *("NO_PROXY", "no_proxy", "npm_config_noproxy", "NPM_CONFIG_NOPROXY"),
    *("YARN_NO_PROXY", "BUNDLE_NO_PROXY"),
)
# What commands of the thread say to each other.  Private networks are not among it, unlike in the
# reference server: nothing leads there but the proxy, and it can say why it does not.
_OURS = "localhost,127.0.0.1,::1"


def proxy_variables(http: int, socks: int | None, *, local: bool) -> dict[str, str]:
    """For the ports of a proxy; `local` says that addresses near the host may be reached."""
    url = f"http://127.0.0.1:{http}"
    everything = url if socks is None else f"socks5h://127.0.0.1:{socks}"
    return {
        **dict.fromkeys(_HTTP, url),
        **dict.fromkeys(_ALL, everything),
        **dict.fromkeys(_NONE, _OURS),
        "CODEX_NETWORK_PROXY_ACTIVE": "1",
        "CODEX_NETWORK_ALLOW_LOCAL_BINDING": "1" if local else "0",
        "ELECTRON_GET_USE_PROXY": "true",
        "NODE_USE_ENV_PROXY": "1",  # Node's own fetch looks at the variables above only with it
    }
