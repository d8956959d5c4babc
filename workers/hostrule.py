"""`network_rule(...)`: a user's standing answer about one host, a line of the rules files."""

import json
from dataclasses import dataclass
from typing import Literal

from protocol.approval import NetworkApprovalProtocol
from workers.proxy.target import normal

Decision = Literal["allow", "prompt", "deny"]

_WRITTEN: dict[NetworkApprovalProtocol, str] = {
    "http": "http",
    "https": "https",
    "socks5Tcp": "socks5_tcp",
    "socks5Udp": "socks5_udp",
}
_PROTOCOLS: dict[object, NetworkApprovalProtocol] = {w: p for p, w in _WRITTEN.items()}
_DECISIONS: dict[object, Decision] = {"allow": "allow", "prompt": "prompt", "deny": "deny"}


@dataclass(frozen=True)
class HostRule:
    host: str
    protocol: NetworkApprovalProtocol
    decision: Decision

    def line(self) -> str:
        """As the reference server writes it (observed)."""
        protocol = _WRITTEN[self.protocol]
        verb = {"allow": "Allow", "prompt": "Ask for", "deny": "Deny"}[self.decision]
        values = {
            "host": self.host,
            "protocol": protocol,
            "decision": self.decision,
            "justification": f"{verb} {protocol} access to {self.host}",
        }
        return f"network_rule({', '.join(f'{k}={json.dumps(v)}' for k, v in values.items())})"


def host_rule(host: object, protocol: object, decision: object) -> HostRule:
    """Raises ValueError."""
    if not isinstance(host, str) or not host.strip():
        raise ValueError("host must be a string and not empty")
    if not isinstance(protocol, str) or protocol not in _PROTOCOLS:
        raise ValueError(f"invalid protocol {protocol!r}")
    if not isinstance(decision, str) or decision not in _DECISIONS:
        raise ValueError(f"invalid decision {decision!r}")
    return HostRule(normal(host.strip()), _PROTOCOLS[protocol], _DECISIONS[decision])
