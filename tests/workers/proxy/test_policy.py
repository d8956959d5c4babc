"""What is judged of hosts and addresses, without a network."""

from ipaddress import ip_address

import pytest

from protocol.network import ManagedNetwork
from workers.hostrule import HostRule
from workers.proxy.address import is_public
from workers.proxy.policy import Policy
from workers.proxy.target import BadTarget, Target, normal, split


@pytest.mark.parametrize(
    ("text", "public"),
    [
        *((a, True) for a in ("1.1.1.1", "93.184.216.34", "2606:4700::1111", "::ffff:8.8.8.8")),
        *((a, False) for a in ("127.0.0.1", "10.0.0.1", "172.16.0.1", "192.168.1.1", "0.0.0.0")),
        *((a, False) for a in ("169.254.169.254", "100.100.100.200", "192.0.0.192")),  # metadata
        *((a, False) for a in ("224.0.0.1", "255.255.255.255", "240.0.0.1", "198.18.0.1")),
        *((a, False) for a in ("::1", "::", "fe80::1", "fd00:ec2::254", "ff02::1", "fec0::1")),
        *((a, False) for a in ("::ffff:127.0.0.1", "::127.0.0.1", "64:ff9b::10.0.0.1")),
        *((a, False) for a in ("2002:7f00:1::", "2001:db8::1", "::ffff:169.254.169.254")),
    ],
)
def test_addresses_near_are_not_public(text, public):
    """Observed for IPv4; ours: an IPv6 address that stands for one is judged as that."""
    assert is_public(ip_address(text)) == public


@pytest.mark.parametrize(
    ("pattern", "host", "matches"),
    [
        ("example.com", "example.com", True),
        ("Example.COM.", "example.com", True),
        ("example.com", "a.example.com", False),
        ("example.com", "example.com.evil.test", False),
        ("*.example.com", "a.example.com", True),
        ("*.example.com", "a.b.example.com", True),
        ("*.example.com", "example.com", False),
        ("*.example.com", "notexample.com", False),
        ("**.example.com", "example.com", True),
        ("**.example.com", "a.example.com", True),
        ("**.example.com", "notexample.com", False),
        ("region*.example.com", "region1.example.com", True),
        ("region*.example.com", "xregion1.example.com", False),
        ("*", "anything.test", True),
    ],
)
def test_patterns_match_as_in_the_reference_server(pattern, host, matches):
    """Observed."""
    policy = Policy(ManagedNetwork(allowed=[pattern]))
    assert (policy.judge(Target.of("https", host, 443)) == "allowed") == matches


def judged(host, rules=(), protocol="https", **network):
    return Policy(ManagedNetwork(**network), rules).judge(Target.of(protocol, host, 443))


def test_what_denies_comes_first():
    """Observed: deny, then what is near, then allow."""
    rule = HostRule("a.test", "https", "allow")
    assert judged("a.test", [rule], denied=["*.test"]) == "denied"
    assert judged("a.test", [HostRule("a.test", "http", "deny")], allowed=["a.test"]) == "denied"
    assert judged("10.0.0.1", denied=["10.0.0.1"], allow_local_binding=True) == "denied"
    assert judged("10.0.0.1", allowed=["*"]) == "local"
    assert judged("10.0.0.1", allowed=["10.0.0.1"]) == "allowed"
    assert judged("[0:0::1]", allowed=["[::1]"]) == "allowed"
    assert judged("10.0.0.1", allow_local_binding=True) == "unlisted"


def test_a_rule_allows_its_own_protocol():
    """Ours: the reference server lets every one through then."""
    rule = HostRule("a.test", "https", "allow")
    assert judged("a.test", [rule]) == "allowed"
    assert judged("a.test", [rule], protocol="socks5Tcp") == "unlisted"


def test_a_rule_that_prompts_asks_even_about_what_is_listed():
    """Ours: the stricter of two counts."""
    rule = HostRule("a.test", "https", "prompt")
    assert judged("a.test", [rule], allowed=["a.test"]) == "unlisted"


def test_a_name_may_not_lead_to_a_denied_address():
    """Ours: anybody can make a name for an address."""
    policy = Policy(ManagedNetwork(allowed=["*"], denied=["93.184.216.34"]))
    target = Target.of("http", "alias.test", 80)
    assert policy.judge_addresses(target, [ip_address("93.184.216.34")]) == "denied"


@pytest.mark.parametrize(
    "host", ["", "a b", "a\0b", "ä.test", "-x", "fe80::1%eth0", "x" * 254, "a/b"]
)
def test_what_is_no_host_is_refused(host):
    """Ours: it would be looked up, or shown to somebody."""
    with pytest.raises(BadTarget):
        normal(host)


@pytest.mark.parametrize("text", ["", ":80", "a:b", "a:0", "a:65536", "a:1:2", "[::1", "a@", "a:٣"])
def test_what_is_no_authority_is_refused(text):
    """Ours: as above."""
    with pytest.raises(BadTarget):
        normal(split(text, 80)[0])


def test_authorities_are_taken_apart():
    """Observed: user names are dropped."""
    assert split("a.test", 80) == ("a.test", 80)
    assert split("u:p@a.test:8080", 80) == ("a.test", 8080)
    assert split("[::1]:22", None) == ("[::1]", 22)
