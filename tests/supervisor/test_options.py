"""The command line: what is accepted, what is refused, and with which status."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from supervisor import __main__
from supervisor.options import (
    VERSION,
    CapabilityToken,
    Generate,
    Options,
    Proxy,
    Refused,
    SignedToken,
    Stdio,
    Tcp,
    Unix,
    codex_home,
    parse,
)

ROOT = Path(__file__).parents[2]
PLAIN = Options(Stdio(), None, [], "vscode", analytics_default_enabled=False)


def test_app_server_alone_serves_stdio():
    """Observed."""
    assert parse(["app-server"]) == PLAIN


@pytest.mark.parametrize(
    ("url", "listen"),
    [
        ("stdio://", Stdio()),
        ("ws://127.0.0.1:4500", Tcp("127.0.0.1", 4500)),
        ("ws://0.0.0.0:0", Tcp("0.0.0.0", 0)),
        ("ws://[::1]:1", Tcp("::1", 1)),
        ("unix://", Unix("")),
        ("unix:///run/a.sock", Unix("/run/a.sock")),
        ("unix://a.sock", Unix("a.sock")),
    ],
)
def test_listen_names_an_endpoint(url, listen):
    """Observed."""
    command = parse(["app-server", "--listen", url])
    assert isinstance(command, Options)
    assert command.listen == listen


@pytest.mark.parametrize(
    "url",
    [
        "ws://localhost:1",
        "ws://127.0.0.1",
        "ws://127.0.0.1:99999",
        "ws://127.0.0.1:-1",
        "ws://127.0.0.1:٣",
        "ws://127.0.0.1:0/path",
        "ws://::1:5",
        "ws://[127.0.0.1]:5",
        "http://127.0.0.1:1",
        "tcp://x",
        "stdio",
        "stdio://x",
        "bogus://",
        "",
    ],
)
def test_what_is_no_endpoint_is_a_bad_flag(url, capsys):
    """Observed: status 2."""
    with pytest.raises(SystemExit) as caught:
        parse(["app-server", "--listen", url])
    assert caught.value.code == 2
    assert "ws://IP:PORT" in capsys.readouterr().err


def test_no_transport_is_refused():
    """Observed: status 1 for `off`."""
    with pytest.raises(Refused, match="--listen off"):
        parse(["app-server", "--listen", "off"])


def test_overrides_before_and_after_the_command_keep_their_order():
    """Observed: those after `app-server` win, features count as overrides."""
    before = ["-c", "a=1", "--enable", "goals", "-c", "b=2"]
    after = ["--disable", "hooks", "--config", "c=3", "--enable", "memories", "-c", "a=4"]
    command = parse([*before, "app-server", *after])
    assert isinstance(command, Options)
    assert command.overrides == [
        *("a=1", "b=2"),
        *("features.goals=true", "features.memories=true", "features.hooks=false"),
        *("c=3", "a=4"),
    ]


@pytest.mark.parametrize("switch", ["--enable", "--disable"])
def test_a_switch_for_a_feature_that_nobody_knows_is_refused(switch):
    """Observed: status 1; -c may name features of the future."""
    with pytest.raises(Refused, match="no_such is no feature"):
        parse([switch, "no_such", "app-server"])

    assert parse(["-c", "features.no_such=true", "app-server"])


@pytest.mark.parametrize(("pair", "cause"), [("novalue", "no '='"), ("=x", "key before '='")])
def test_an_override_needs_a_key_and_a_value(pair, cause):
    """Observed: status 1."""
    with pytest.raises(Refused, match=cause):
        parse(["app-server", "-c", pair])


def auth(*flags: str):
    command = parse(["app-server", "--listen", "ws://127.0.0.1:0", *flags])
    assert isinstance(command, Options)
    return command.auth


def test_a_token_is_given_by_file_or_by_digest():
    """Observed."""
    mode = ("--ws-auth", "capability-token")
    assert auth(*mode, "--ws-token-file", "f") == CapabilityToken(file="f")
    assert auth(*mode, "--ws-token-sha256", "aB" * 32) == CapabilityToken(digest="aB" * 32)


def test_a_signed_token_is_given_by_its_key_and_claims():
    """Observed; the skew is 30 s unless given."""
    mode = ("--ws-auth", "signed-bearer-token", "--ws-shared-secret-file", "f")
    assert auth(*mode) == SignedToken("f", None, None, 30)
    more = ("--ws-issuer", "i", "--ws-audience", "a", "--ws-max-clock-skew-seconds", "0")
    assert auth(*mode, *more) == SignedToken("f", "i", "a", 0)


@pytest.mark.parametrize(
    "flags",
    [
        "--ws-auth capability-token",
        "--ws-auth signed-bearer-token",
        "--ws-auth capability-token --ws-token-sha256 zz",
        "--ws-token-file t",
        "--ws-issuer i",
        "--ws-auth capability-token --ws-token-file t --ws-token-sha256 " + "0" * 64,
        "--ws-auth capability-token --ws-token-file t --ws-shared-secret-file s",
        "--ws-auth signed-bearer-token --ws-shared-secret-file s --ws-token-file t",
    ],
)
def test_flags_of_authentication_must_fit_together(flags):
    """Observed: status 1, on stdio too."""
    with pytest.raises(Refused, match="--ws-"):
        parse(["app-server", *flags.split()])


@pytest.mark.parametrize(
    "arguments",
    ["", "--bogus", "app-server --bogus", "app-server --ws-auth other", "app-server --list off"],
)
def test_unknown_flags_have_status_2(arguments):
    """Observed."""
    with pytest.raises(SystemExit) as caught:
        parse(arguments.split())
    assert caught.value.code == 2


def test_the_tools_beside_the_server():
    """Observed: `app-server proxy`, `generate-json-schema` and `generate-ts`."""
    assert parse(["app-server", "proxy", "--sock", "/s"]) == Proxy("/s")
    assert parse(["-c", "a=1", "app-server", "proxy"]) == Proxy("")
    schema = ["app-server", "generate-json-schema", "--out", "d", "--experimental"]
    assert parse(schema) == Generate("json-schema", "d", experimental=True)
    assert parse(["app-server", "generate-ts", "-o", "d"]) == Generate(
        "ts", "d", experimental=False
    )


def test_home_is_the_environments_or_the_users(monkeypatch, tmp_path):
    """Observed: CODEX_HOME, else ~/.codex."""
    monkeypatch.setenv("CODEX_HOME", str(tmp_path))
    assert codex_home() == tmp_path
    monkeypatch.setenv("CODEX_HOME", "")
    monkeypatch.setenv("HOME", "/home/x")
    assert codex_home() == Path("/home/x/.codex")


def test_the_version_is_the_packages():
    """Ours: written twice because reading the package's metadata costs 20 ms at each start."""
    assert tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"] == VERSION


def test_what_cannot_be_meant_has_status_1_and_a_text(monkeypatch, capsys):
    """Observed."""
    monkeypatch.setattr(sys, "argv", ["atrio", "app-server", "--listen", "off"])
    assert __main__.main() == 1
    assert capsys.readouterr().err.startswith("atrio: --listen off leaves no transport")


def test_a_refusal_is_told_however_deep_it_comes_from(monkeypatch, capsys):
    """Ours: a transport refuses from inside nurseries."""

    def run(command):
        raise ExceptionGroup("outer", [ExceptionGroup("inner", [Refused("the cause")])])

    monkeypatch.setattr(__main__, "_run", run)
    monkeypatch.setattr(sys, "argv", ["atrio", "app-server"])
    assert __main__.main() == 1
    assert capsys.readouterr().err == "atrio: the cause\n"


@pytest.mark.parametrize("name", ["trio", "msgspec", "jwt", "trio_websocket"])
def test_asking_for_the_version_imports_nothing_heavy(name):
    """PERFORMANCE: Trio alone costs 100 ms."""
    code = (
        "import sys; sys.argv = ['atrio', '--version']\n"
        "from supervisor.__main__ import main\n"
        "try: main()\n"
        f"finally: assert {name!r} not in sys.modules"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout == f"atrio {VERSION}\n"


def test_serving_stdio_imports_no_websocket_and_no_token_library():
    """PERFORMANCE: what a start does not need is not imported."""
    code = (
        "import sys, supervisor.stdio, supervisor.__main__\n"
        "assert not {'trio_websocket', 'wsproto', 'jwt', 'h11'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
