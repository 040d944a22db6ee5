"""The Celery application: how identifiers travel.

A task that is lost costs seconds, because the beat rings again for what is due; a task that comes twice claims
nothing the second time. So nothing is kept by the broker that matters, there are no results, and a task is
acknowledged only when it has ended. Whatever talks to the broker gives up after seconds: a Redis that accepts and does
not answer must hold nobody.
"""

from __future__ import annotations

from typing import Any

from celery import Celery

from oct.settings import Settings

QUEUE = "oct.messages"
PROCESS = "oct.process"
_TIMEOUT_S = 5


def make_app(settings: Settings) -> Any:
    """An application for these settings, whose `[queue] url` is not empty. Connects to nothing."""
    queue = settings.queue
    app = Celery("oct", broker=queue.url, set_as_current=False)
    app.conf.update(
        task_default_queue=QUEUE,
        task_serializer="json",
        accept_content=["json"],
        task_ignore_result=True,
        task_acks_late=True,
        task_reject_on_worker_lost=False,
        task_time_limit=queue.time_limit / 1000,
        worker_prefetch_multiplier=1,
        worker_concurrency=settings.worker.processes,
        worker_proc_alive_timeout=60,
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
        worker_send_task_events=False,
        worker_enable_remote_control=False,
        broker_connection_timeout=_TIMEOUT_S,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_transport_options={
            "visibility_timeout": queue.visibility / 1000,
            "unacked_restore_interval": 10,
            "socket_timeout": _TIMEOUT_S,
            "socket_connect_timeout": _TIMEOUT_S,
            "socket_keepalive": True,
            "max_retries": 1,
            "interval_start": 0,
        },
    )
    return app
