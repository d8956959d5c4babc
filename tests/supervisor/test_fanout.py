"""One encoding for all who hear the same."""

import pytest

from protocol.framing import line, text_frame
from supervisor.connection import Connection
from supervisor.fanout import spread
from tests.supervisor.stage import event

DELTA = "item/agentMessage/delta"


class Client(Connection):
    """Takes note of the very objects that it is given."""

    def __init__(self, form="line", *deaf):
        super().__init__(None, form, opted_out=frozenset(deaf))
        self.given = []

    def put(self, laid_out):
        self.given.append(laid_out)


EVENTS = [event(0, DELTA, 0), event(1, "item/completed", 1), event(2, DELTA, 2)]
BODIES = [e.body for e in EVENTS]


@pytest.mark.parametrize(("form", "lay_out"), [("line", line), ("frame", text_frame)])
def test_events_that_came_together_leave_together_in_their_order(form, lay_out):
    """Ours (DESIGN 3): one write per client, whatever its transport."""
    client = Client(form)
    spread(EVENTS, [client])

    assert client.given == [b"".join(map(lay_out, BODIES))]


def test_the_same_bytes_go_to_all_who_hear_the_same():
    """Ours (DESIGN 3): what a delta costs hardly depends on how many listen."""
    clients = [Client(), Client("line", "other/method"), Client("frame"), Client()]
    spread(EVENTS, clients)
    lines, same, frames, again = [client.given[0] for client in clients]

    assert lines is again is same
    assert frames != lines


def test_what_a_client_has_opted_out_of_is_left_out():
    """Observed: opt-out is per connection."""
    deaf, hears = Client("line", DELTA), Client()
    spread(EVENTS, [deaf, hears])

    assert deaf.given == [line(BODIES[1])]
    assert hears.given == [b"".join(map(line, BODIES))]


def test_who_hears_nothing_of_it_is_not_woken():
    """Ours."""
    client = Client("line", DELTA, "item/completed")
    spread(EVENTS, [client])

    assert client.given == []
