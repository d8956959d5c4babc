"""`[permissions.NAME.network]`: which profiles have a managed network, and what is refused."""

import tomllib

import pytest

from protocol.network import ManagedNetwork
from supervisor.check import typed
from supervisor.layers import ConfigError
from supervisor.network import managed_networks


def networks(text):
    return managed_networks(typed(tomllib.loads("[permissions.net.network]\n" + text)))


def test_a_network_that_says_more_than_enabled_is_managed():
    """Observed: each of the other keys starts the proxy."""
    found = networks("""
enabled = true
mode = "limited"
domains = { "a.test" = "allow", "**.b.test" = "allow", "c.test" = "deny" }
allow_local_binding = true
proxy_url = "http://127.0.0.1:3128"
socks_url = "127.0.0.1:8081"
""")

    assert found == {
        "net": ManagedNetwork(
            allowed=["a.test", "**.b.test"],
            denied=["c.test"],
            mode="limited",
            allow_local_binding=True,
            http_port=3128,
            socks_port=8081,
        )
    }


@pytest.mark.parametrize(
    "text",
    ["", "enabled = true", "enabled = false", 'enabled = false\ndomains = { "a.test" = "allow" }'],
)
def test_a_network_that_is_open_or_closed_is_not_managed(text):
    """Observed."""
    assert networks(text) == {}


def test_without_socks_there_is_no_port_for_it():
    """Observed: on by default."""
    assert networks("enabled = true\nenable_socks5 = false")["net"].socks_port is None
    assert networks('enabled = true\nmode = "full"')["net"].socks_port == 0


@pytest.mark.parametrize(
    ("text", "problem", "key"),
    [
        ('mode = "fast"', "unknown variant `fast`, expected one of `full`, `limited`", "mode"),
        (
            'domains = { "a.test" = "maybe" }',
            "unknown variant `maybe`, expected one of `allow`, `deny`",
            'domains."a.test"',
        ),
        (
            'unix_sockets = { "/a" = "deny" }',
            "unknown variant `deny`, expected one of `allow`, `none`",
            'unix_sockets."/a"',
        ),
        ('unix_sockets = { "a" = "allow" }', "absolute path", "unix_sockets.a"),
        ('domains = { "*" = "deny" }', "everything cannot be denied", 'domains."*"'),
        ('domains = { "http://a" = "allow" }', "without scheme", 'domains."http://a"'),
        ('domains = { "a:80" = "allow" }', "without scheme, port", 'domains."a:80"'),
        ('proxy_url = "://"', "no address of a proxy", "proxy_url"),
        ('proxy_url = "http://a:99999"', "Port out of range", "proxy_url"),
        ("socks_url = 7", "invalid type: integer `7`, expected a string", "socks_url"),
        ('allow_local_binding = "yes"', "expected a boolean", "allow_local_binding"),
    ],
)
def test_what_cannot_be_meant_is_refused_by_name(text, problem, key):
    """Observed for variants and types, and that everything cannot be denied."""
    with pytest.raises(ConfigError) as raised:
        networks("enabled = true\n" + text)

    assert problem in str(raised.value)
    assert f"in `permissions.net.network.{key}`" in str(raised.value)
