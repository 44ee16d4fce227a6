"""From where the present request comes, for what is written down and counted; empty on the command line.

A context variable: each request and each task that it starts has its own.
"""

from __future__ import annotations

from contextvars import ContextVar

ADDRESS: ContextVar[str] = ContextVar("address", default="")
ADDRESS_IN_SCOPE = "assistant.address"  # the same in a request's scope, for who runs apart from the request's task
