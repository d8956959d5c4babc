"""The command line, read into values that cannot be wrong.

It is the reference server's command line, so that what starts that one starts this one.  argparse
ends the process with status 2 for a flag that is no flag; what is well-formed but cannot be meant
raises Refused, which `main` turns into status 1 (both observed).
"""

import argparse
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from supervisor import trial
from supervisor.refused import Refused
from supervisor.trial import Sandbox

VERSION = "0.130.0"  # kept equal to pyproject.toml by a test; importlib.metadata costs 20 ms

DEFAULT_SKEW_SECONDS = 30  # the reference server's figure


@dataclass(frozen=True)
class Stdio:
    """One client, on the process's own standard streams."""


@dataclass(frozen=True)
class Tcp:
    """WebSocket on an address; `host` is an IP address, port 0 lets the system choose."""

    host: str
    port: int

    @property
    def url(self) -> str:
        return f"ws://[{self.host}]:{self.port}" if ":" in self.host else f"ws://{self}"

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


@dataclass(frozen=True)
class Unix:
    """WebSocket on a Unix socket; an empty path means the one under CODEX_HOME."""

    path: str = ""


Listen = Stdio | Tcp | Unix


@dataclass(frozen=True)
class CapabilityToken:
    """A client must know the token that is in a file, or that has this SHA-256 digest, in hex."""

    file: str = ""
    digest: str | None = None


@dataclass(frozen=True)
class SignedToken:
    """A client must bring a JWT signed with the shared secret."""

    secret_file: str
    issuer: str | None = None
    audience: str | None = None
    skew_seconds: int = DEFAULT_SKEW_SECONDS


WsAuth = CapabilityToken | SignedToken


@dataclass(frozen=True)
class Options:
    """`app-server`.  `overrides` are `key=value` texts, features among them; later ones win."""

    listen: Listen
    auth: WsAuth | None
    overrides: list[str]
    session_source: str
    analytics_default_enabled: bool


@dataclass(frozen=True)
class Proxy:
    """`app-server proxy`."""

    socket: str = ""


@dataclass(frozen=True)
class Generate:
    """`app-server generate-json-schema` and `generate-ts`."""

    what: Literal["json-schema", "ts"]
    out: str
    experimental: bool


@dataclass(frozen=True)
class Version:
    """`--version`; `verbose` tells what this host can enforce, too."""

    verbose: bool
    overrides: list[str]


def codex_home() -> Path:
    """Where the configuration, the credentials and the threads are kept."""
    return Path(os.environ.get("CODEX_HOME") or Path.home() / ".codex").absolute()


def default_socket() -> Path:
    """Where `unix://` listens and `proxy` connects when no path is given (observed)."""
    return codex_home() / "app-server-control" / "app-server-control.sock"


Command = Options | Proxy | Generate | Sandbox | Version


def parse(arguments: Sequence[str]) -> Command:
    """Raises Refused (status 1) and SystemExit (2 for bad flags, 0 for --help)."""
    parser = _parser()
    given = parser.parse_args(arguments)
    if given.command is None and not given.version:
        parser.error("the following arguments are required: COMMAND")
    overrides = _overrides(given)
    if given.version:
        return Version(given.verbose, overrides)
    match given.tool:
        case "sandbox":
            return trial.read(given, overrides)
        case "proxy":
            return Proxy(given.sock)
        case "generate-json-schema":
            return Generate("json-schema", given.out, given.experimental)
        case "generate-ts":
            return Generate("ts", given.out, given.experimental)
        case _:
            return _serve(given, overrides)


def _serve(given: argparse.Namespace, overrides: list[str]) -> Options:
    auth = _auth(given)
    if given.listen is None:
        raise Refused("--listen off leaves no transport; give stdio://, ws://IP:PORT or unix://")
    source, analytics = given.session_source, given.analytics_default_enabled
    return Options(given.listen, auth, overrides, source, analytics)


def _overrides(given: argparse.Namespace) -> list[str]:
    """Later ones win: those before `app-server`, the features, those after it (observed)."""
    on, off = given.enable + given.sub_enable, given.disable + given.sub_disable
    for name in on + off:
        _check_feature(name)
    enabled = [f"features.{name}=true" for name in on]
    disabled = [f"features.{name}=false" for name in off]
    for pair in given.config + given.sub_config:
        key, equals, _ = pair.partition("=")
        if not equals:
            raise Refused(f"-c {pair}: there is no '='; write -c key=value")
        if not key.strip():
            raise Refused(f"-c {pair}: the key before '=' is empty; write -c key=value")
    return [*given.config, *enabled, *disabled, *given.sub_config]


def _check_feature(name: str) -> None:
    """A `-c features.x=true` may name what we do not know yet; a switch may not (observed)."""
    from supervisor.features import FEATURES  # noqa: PLC0415 - few starts switch any

    if name not in FEATURES:
        raise Refused(
            f"{name} is no feature; experimentalFeature/list names them, "
            f"-c features.{name}=true sets it all the same"
        )


def _auth(given: argparse.Namespace) -> WsAuth | None:
    token = {"--ws-token-file": given.ws_token_file, "--ws-token-sha256": given.ws_token_sha256}
    signed = {
        "--ws-shared-secret-file": given.ws_shared_secret_file,
        "--ws-issuer": given.ws_issuer,
        "--ws-audience": given.ws_audience,
        "--ws-max-clock-skew-seconds": given.ws_max_clock_skew_seconds,
    }
    match given.ws_auth:
        case "capability-token":
            _forbid(signed, "--ws-auth signed-bearer-token")
            return _capability_token(given.ws_token_file, given.ws_token_sha256)
        case "signed-bearer-token":
            _forbid(token, "--ws-auth capability-token")
            return _signed_token(given)
        case _:
            _forbid(token, "--ws-auth capability-token")
            _forbid(signed, "--ws-auth signed-bearer-token")
            return None


def _forbid(flags: dict[str, object], mode: str) -> None:
    for flag, value in flags.items():
        if value is not None:
            raise Refused(f"{flag} belongs to {mode}; add that, or leave {flag} out")


def _capability_token(file: str | None, sha256: str | None) -> CapabilityToken:
    if (file is None) == (sha256 is None):
        raise Refused(
            "--ws-auth capability-token takes exactly one of --ws-token-file and --ws-token-sha256"
        )
    if sha256 is not None and not _is_digest(sha256):
        raise Refused("--ws-token-sha256 must be the 64 hexadecimal digits of a SHA-256 digest")
    return CapabilityToken(file or "", sha256)


def _is_digest(text: str) -> bool:
    return len(text) == 64 and all(digit in "0123456789abcdefABCDEF" for digit in text)


def _signed_token(given: argparse.Namespace) -> SignedToken:
    if given.ws_shared_secret_file is None:
        raise Refused("--ws-auth signed-bearer-token needs --ws-shared-secret-file")
    skew = given.ws_max_clock_skew_seconds
    return SignedToken(
        given.ws_shared_secret_file,
        given.ws_issuer,
        given.ws_audience,
        DEFAULT_SKEW_SECONDS if skew is None else skew,
    )


def _listen(url: str) -> Listen | None:
    """The endpoint that a URL names, None for `off`."""
    scheme, separator, rest = url.partition("://")
    match scheme + separator:
        case "off":
            return None
        case "stdio://" if not rest:
            return Stdio()
        case "unix://":
            return Unix(rest)
        case "ws://":
            return _tcp(url, rest)
        case _:
            raise argparse.ArgumentTypeError(
                f"{url!r} is none of stdio://, ws://IP:PORT, unix://, unix://PATH and off"
            )


def _tcp(url: str, address: str) -> Tcp:
    import ipaddress  # noqa: PLC0415 - stdio does without it

    host, _, port = address.rpartition(":")
    try:
        ip = ipaddress.ip_address(host.removeprefix("[").removesuffix("]"))
    except ValueError:
        ip = None
    bracketed = host.startswith("[") and host.endswith("]")
    if ip is None or (ip.version == 6) != bracketed or not _is_port(port):
        raise argparse.ArgumentTypeError(
            f"{url!r} is not ws://IP:PORT; give an IP address, as in ws://127.0.0.1:4500"
        )
    return Tcp(str(ip), int(port))


def _is_port(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= 5 and int(text) <= 0xFFFF


def _seconds(text: str) -> int:
    if not (text.isascii() and text.isdecimal()):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds")
    return int(text)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="atrio", allow_abbrev=False)
    parser.add_argument("-V", "--version", action="store_true", help="say which version this is")
    parser.add_argument(
        "--verbose", action="store_true", help="with --version: and what this host can enforce"
    )
    _add_overrides(parser, "")
    parser.set_defaults(sub_config=[], sub_enable=[], sub_disable=[])
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    server = commands.add_parser("app-server", help="serve the protocol", allow_abbrev=False)
    _add_overrides(server, "sub_")
    _add_transport(server)
    about = "run a command as a policy lets it run"
    tried = commands.add_parser("sandbox", help=about, allow_abbrev=False)
    _add_overrides(trial.add(tried), "sub_")
    tools = server.add_subparsers(dest="tool", metavar="TOOL")
    proxy = tools.add_parser("proxy", help="join stdio to a running server's Unix socket")
    proxy.add_argument("--sock", metavar="PATH", default="")
    for name in ("generate-json-schema", "generate-ts"):
        generate = tools.add_parser(name, help="write the protocol's shapes to a folder")
        generate.add_argument("-o", "--out", metavar="DIR", required=True)
        generate.add_argument("--experimental", action="store_true")
    return parser


def _add_overrides(parser: argparse.ArgumentParser, prefix: str) -> None:
    """The same flags stand before and after `app-server`; each place keeps its own list."""
    for flags, name, metavar, text in (
        (("-c", "--config"), "config", "KEY=VALUE", "override a setting of config.toml"),
        (("--enable",), "enable", "FEATURE", "the same as -c features.FEATURE=true"),
        (("--disable",), "disable", "FEATURE", "the same as -c features.FEATURE=false"),
    ):
        parser.add_argument(
            *flags, dest=prefix + name, action="append", default=[], metavar=metavar, help=text
        )


def _add_transport(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "--listen",
        type=_listen,
        default=Stdio(),
        metavar="URL",
        help="stdio:// (the default), ws://IP:PORT, unix://, unix://PATH or off",
    )
    add("--ws-auth", choices=["capability-token", "signed-bearer-token"])
    add("--ws-token-file", metavar="PATH", help="holds the capability token")
    add("--ws-token-sha256", metavar="HEX", help="digest of the capability token")
    add("--ws-shared-secret-file", metavar="PATH", help="holds the key of signed tokens")
    add("--ws-issuer", help="the `iss` that a signed token must have")
    add("--ws-audience", help="the `aud` that a signed token must have")
    add("--ws-max-clock-skew-seconds", metavar="SECONDS", type=_seconds)
    add("--session-source", default="vscode", help="recorded as the source of new threads")
    add("--analytics-default-enabled", action="store_true", help="accepted; there are none")
