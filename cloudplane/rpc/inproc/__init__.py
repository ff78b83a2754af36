"""The oslo.messaging driver `inproc://`: RPC between services that live in one process.

It keeps RabbitMQ's semantics as far as RPC can see them: a server's own address, round robin over a topic's servers,
fanout to who listens now, remote exceptions with their traceback, timeouts and call monitoring, and a JSON round trip
of every payload. What it leaves out is stated where it is left out: notifications, requeueing, other processes.

- Each URL `inproc://NAME` is a broker of its own; the same NAME in one process is the same broker.
- A message for which nobody listens is dropped without a word, as an exchange without a queue does; a call then ends in
  MessagingTimeout. So is a message for a server that has stopped: its queue went with it, as RabbitMQ's auto-delete
  queues do. Nothing is kept for a server that may come back (the operation log does that).
- What a server has accepted before `stop` is worked off; calls that it will never answer are woken by its clean-up.
- `broker('NAME').interceptor` lets tests lose, delay, repeat or hold messages; see `faults`.
"""

from cloudplane.rpc.inproc.broker import Broker, broker
from cloudplane.rpc.inproc.driver import InprocDriver, WorkersRefused, refuse_workers
from cloudplane.rpc.inproc.faults import DELIVER, DROP, DUPLICATE, Interceptor, Message, Verdict, delay

__all__ = [
    'DELIVER',
    'DROP',
    'DUPLICATE',
    'Broker',
    'InprocDriver',
    'Interceptor',
    'Message',
    'Verdict',
    'WorkersRefused',
    'broker',
    'delay',
    'refuse_workers',
]
