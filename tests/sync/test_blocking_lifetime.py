"""Threads, signals, forks and the end of the process."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from support.scripts import RECORD, ScriptEngine, error, page, record, reply

from kantos_async import ClientClosedError, Kantos, NotFoundError, Reply, Request, WrongContextError
from kantos_async.sync.loop import shared

WAIT = 5.0


class SlowEngine(ScriptEngine):
    """Answers after a minute, and tells when it is asked and when it is cancelled."""

    def __init__(self) -> None:
        super().__init__(record())
        self.asked = threading.Event()
        self.cancelled = threading.Event()

    async def send(self, request: Request, timeout: float) -> Reply:
        self.asked.set()
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            self.cancelled.set()
            raise
        return await super().send(request, timeout)


def blocking(engine: ScriptEngine, **settings: Any) -> Kantos:
    settings = {"api_key": "kantos_test", **settings}
    return Kantos(base_url="http://script.invalid/api", engine=engine, **settings)


def interrupt_when(ready: threading.Event) -> threading.Thread:
    """Press Ctrl-C once `ready` is set."""

    def press() -> None:
        ready.wait(WAIT)
        main = threading.main_thread().ident
        assert main is not None
        signal.pthread_kill(main, signal.SIGINT)

    thread = threading.Thread(target=press)
    thread.start()
    return thread


needs_signals = pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="no such signals")
needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")


@needs_signals
def test_ctrl_c_ends_a_wait_and_cancels_the_call_in_the_loop() -> None:
    engine = SlowEngine()
    with blocking(engine) as k:
        pressing = interrupt_when(engine.asked)
        began = time.monotonic()
        with pytest.raises(KeyboardInterrupt):
            k.records.get("rec_1")
        assert engine.cancelled.is_set()
        assert time.monotonic() - began < 2
        pressing.join()
        assert k.stats.requests == 1  # and the client goes on


@needs_signals
def test_ctrl_c_in_the_midst_of_the_rows_ends_the_call() -> None:
    with blocking(ScriptEngine(record())) as k:

        async def take(rows: Any) -> int:
            return len([row async for row in rows])

        def rows() -> Any:
            yield 1
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            k._portal.run(take, k._portal.rows(rows()))
        assert k.records.get("rec_1").id == "rec_1"


def test_rows_are_taken_in_the_thread_that_waits() -> None:
    seen: set[int] = set()
    engine = ScriptEngine(page(RECORD))
    with blocking(engine) as k:

        def rows() -> Any:
            for number in range(1_200):
                seen.add(threading.get_ident())
                if number == 700:  # a blocking call in the midst of it
                    yield from k.records.query("obj_contacts")
                yield number

        async def take(rows: Any) -> list[Any]:
            return [row async for row in rows]

        taken = k._portal.run(take, k._portal.rows(rows()))
        assert (len(taken), taken[-1]) == (1_201, 1_199)
        assert seen == {threading.get_ident()}

        for_another = k._portal.rows(iter("abc"))
        with ThreadPoolExecutor(1) as pool:
            assert pool.submit(k._portal.run, take, for_another).result(WAIT) == ["a", "b", "c"]

        def broken() -> Any:
            yield 1
            raise OSError("the file is gone")

        with pytest.raises(OSError, match="the file is gone"):
            k._portal.run(take, k._portal.rows(broken()))


@pytest.mark.parametrize("given", [[{"a": 1}], "text", {"a": 1}, 7, None])
def test_what_needs_no_thread_is_given_as_it_is(given: object) -> None:
    with blocking(ScriptEngine(record())) as k:
        assert k._portal.rows(given) is given


def test_what_a_callback_raises_reaches_the_caller() -> None:
    def key() -> str:
        raise SystemExit("no key in the vault")

    with blocking(ScriptEngine(record()), api_key=key) as k:
        with pytest.raises(SystemExit, match="vault"):
            k.records.get("rec_1")
        with pytest.raises(SystemExit, match="vault"):  # the loop is alive
            k.records.get("rec_1")


def test_use_from_a_callback_is_refused() -> None:
    def key() -> str:
        return k.records.get("rec_1").id

    with (
        blocking(ScriptEngine(record()), api_key=key) as k,
        pytest.raises(WrongContextError, match="callback"),
    ):
        k.records.get("rec_1")


def test_errors_keep_their_type() -> None:
    with blocking(ScriptEngine(error(404))) as k:
        with pytest.raises(NotFoundError) as caught:
            k.records.get("rec_1")
        assert caught.value.details == {"a": 1}


def test_a_stream_left_early_stops_fetching() -> None:
    pagination = {"total": 10_000, "page": 1, "per_page": 100, "total_pages": 100}
    engine = SlowEngine()
    first = reply(200, {"data": [RECORD] * 100, "pagination": pagination})

    async def send(request: Request, timeout: float) -> Reply:
        return (
            first if "page=1&" in request.url else await SlowEngine.send(engine, request, timeout)
        )

    engine.send = send  # type: ignore[method-assign]
    with blocking(engine) as k:
        for _ in k.records.query("obj_contacts"):
            assert engine.asked.wait(WAIT)
            break
        gc.collect()
        assert engine.cancelled.wait(WAIT)


def test_use_after_close_is_refused() -> None:
    engine = ScriptEngine(record())
    k = blocking(engine)
    k.records.get("rec_1")
    k.close()
    assert engine.closed
    with pytest.raises(ClientClosedError):
        k.records.get("rec_1")


def test_an_unclosed_client_warns_and_is_closed() -> None:
    engine = ScriptEngine(record())
    k = blocking(engine)
    records = k.records
    del k
    assert records.get("rec_1").id == "rec_1"  # what it handed out keeps it alive
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        del records
        gc.collect()
        asyncio.run_coroutine_threadsafe(asyncio.sleep(0), shared.loop()).result(WAIT)
    assert [str(warning.message)[:25] for warning in warned] == ["a Kantos was not closed; "]
    assert engine.closed


@needs_fork
def test_a_forked_worker_is_told_to_make_its_own() -> None:
    k = blocking(ScriptEngine(record()))
    unused = blocking(ScriptEngine(record()))
    k.records.get("rec_1")

    def child() -> int:
        try:
            k.records.get("rec_1")
        except WrongContextError as problem:
            if "fork" not in str(problem):
                return 2
        with blocking(ScriptEngine(record())) as own:
            if own.records.get("rec_1").id != "rec_1":
                return 3
        return 0 if unused.records.get("rec_1").id == "rec_1" else 4

    assert in_child(child) == 0
    k.close()
    unused.close()


def in_child(work: Callable[[], int]) -> int:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # newer Pythons warn of any fork beside threads
        pid = os.fork()
    if pid == 0:
        code = 1
        try:
            signal.alarm(10)
            code = work()
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


UNCLOSED = """
from support.scripts import ScriptEngine, record
from kantos_async import Kantos
k = Kantos("kantos_test", base_url="http://script.invalid/api", engine=ScriptEngine(record()))
print(k.records.get("rec_1").id)
"""

BUSY = """
import threading, asyncio
from support.scripts import ScriptEngine, record
from kantos_async import Kantos

class Slow(ScriptEngine):
    async def send(self, request, timeout):
        asked.set()
        await asyncio.sleep(60)

asked = threading.Event()
k = Kantos("kantos_test", base_url="http://script.invalid/api", engine=Slow(record()))
threading.Thread(target=k.records.get, args=("rec_1",), daemon=True).start()
asked.wait(5)
print("rec_1")
"""


@pytest.mark.parametrize("script", [UNCLOSED, BUSY], ids=["unclosed", "a call in flight"])
def test_the_process_ends_at_once(script: str, pytestconfig: pytest.Config) -> None:
    env = os.environ | {"PYTHONPATH": str(pytestconfig.rootpath / "tests")}
    done = subprocess.run(
        [sys.executable, "-c", script],
        env=env,
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "rec_1\n", "")
