"""What an HTTP request at the door gets."""

import pytest

from supervisor.upgrade import Rule, judge, parse, response

UPGRADE = (
    "Host: x\r\nUpgrade: WebSocket\r\nConnection: keep-alive, Upgrade\r\n"
    "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n"
)
ORIGIN = "Origin: http://localhost\r\n"
SECRET = Rule(admits=lambda token: token == "secret")


def status(first: str, headers: str = "", rule: Rule | None = None) -> int:
    return judge(parse(f"{first} HTTP/1.1\r\n{headers}".encode()), rule or Rule())


@pytest.mark.parametrize(
    ("first", "headers", "expected"),
    [
        ("GET /readyz", "", 200),
        ("GET /healthz?x=1", "", 200),
        ("HEAD /readyz", "", 200),
        ("POST /readyz", "", 405),
        ("GET /readyz", ORIGIN, 403),
        ("GET /healthz", "Origin: null\r\n", 403),
        ("GET /", "", 400),
        ("GET /other", "", 400),
        ("POST /", "", 405),
        ("GET /", ORIGIN, 403),
        ("GET /", UPGRADE, 101),
        ("GET /rpc", UPGRADE, 101),
        ("GET /", UPGRADE + ORIGIN, 403),
        ("GET /", UPGRADE + "oRIGIN: null\r\n", 403),
        ("GET /", UPGRADE.replace("13", "12"), 400),
        ("GET /readyz", UPGRADE, 200),
        ("POST /", UPGRADE, 405),
        ("GET /", UPGRADE + "Authorization: Bearer x\r\n", 101),
    ],
)
def test_statuses_are_the_reference_servers(first, headers, expected):
    """Observed."""
    assert status(first, headers) == expected


@pytest.mark.parametrize("header", UPGRADE.split("\r\n")[:-1])
def test_each_header_of_the_handshake_is_needed(header):
    """RFC 6455, section 4.2.1."""
    assert status("GET /", UPGRADE.replace(header + "\r\n", "")) == 400


@pytest.mark.parametrize(
    ("authorization", "expected"),
    [
        (None, 401),
        ("Bearer secret", 101),
        ("bearer secret", 101),
        ("Bearer  secret ", 101),
        ("Bearer wrong", 401),
        ("Bearer ", 401),
        ("secret", 401),
        ("Basic secret", 401),
    ],
)
def test_a_bearer_token_opens_a_guarded_door(authorization, expected):
    """Observed."""
    more = "" if authorization is None else f"Authorization: {authorization}\r\n"
    assert status("GET /", UPGRADE + more, SECRET) == expected


def test_a_page_with_the_right_token_is_a_page():
    """Observed: Origin is looked at first."""
    more = ORIGIN + "Authorization: Bearer secret\r\n"
    assert status("GET /", UPGRADE + more, SECRET) == 403
    assert status("GET /readyz", "", SECRET) == 200


def test_a_unix_socket_does_not_ask_for_the_origin():
    """Observed."""
    assert status("GET /", UPGRADE + ORIGIN, Rule(browsers=True)) == 101


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"\xff\xfe",
        b"GET /",
        b"GET / HTTP/2",
        b"GET / HTTP/1.1\r\nOrigin : x",
        b"GET / HTTP/1.1\r\na: b\r\n Origin: x",
        b"GET / HTTP/1.1\r\nno colon",
    ],
)
def test_what_might_be_read_in_two_ways_is_refused(head):
    """Ours: the library reads the head again, and must not find in it what we did not."""
    assert judge(parse(head), Rule()) == 400


def test_a_refusal_names_its_cure():
    """Ours."""
    assert b"Authorization: Bearer TOKEN" in response(401)
    assert response(400).startswith(b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\n")


def test_head_is_answered_without_a_body():
    """RFC 9110, section 9.3.2."""
    assert response(405, body=False).endswith(b"\r\n\r\n")
