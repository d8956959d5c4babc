"""The table: every request, every question to a client, every notification; one row each.

A row is a value that carries its params and result types, so handlers and the test client are
checked against it at both ends.  `by` says who serves a request: `here` is the supervisor,
`thread_id` the worker of the thread that this field names.  A method without a row is unknown.
The files below are chapters of the one table; everybody imports from here, where all are read and
the three dicts, for who looks a row up by its name, are filled.
"""

from protocol.methods.host import *
from protocol.methods.notification import *
from protocol.methods.question import *
from protocol.methods.thread import *
from protocol.row import NOTIFICATIONS as NOTIFICATIONS
from protocol.row import QUESTIONS as QUESTIONS
from protocol.row import REQUESTS as REQUESTS
