#!/usr/bin/env python3
"""Checks docs/coming-from-asyncio.md: every public name of asyncio (3.13's and 3.14's `__all__`
together) stands in the table, and every header that the docs name exists.
"""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
TABLE = ROOT / "docs" / "coming-from-asyncio.md"

NAMES = """
    ALL_COMPLETED AbstractChildWatcher AbstractEventLoop AbstractEventLoopPolicy AbstractServer
    Barrier BaseEventLoop BaseProtocol BaseTransport BoundedSemaphore BrokenBarrierError
    BufferedProtocol CancelledError Condition DatagramProtocol DatagramTransport
    DefaultEventLoopPolicy Event EventLoop FIRST_COMPLETED FIRST_EXCEPTION FastChildWatcher
    FrameCallGraphEntry Future FutureCallGraph Handle IncompleteReadError InvalidStateError
    LifoQueue LimitOverrunError Lock MultiLoopChildWatcher PidfdChildWatcher PriorityQueue
    Protocol Queue QueueEmpty QueueFull QueueShutDown ReadTransport Runner SafeChildWatcher
    SelectorEventLoop Semaphore SendfileNotAvailableError Server StreamReader
    StreamReaderProtocol StreamWriter SubprocessProtocol SubprocessTransport Task TaskGroup
    ThreadedChildWatcher Timeout TimeoutError TimerHandle Transport WriteTransport _enter_task
    _get_running_loop _leave_task _register_task _set_running_loop _unregister_task all_tasks
    as_completed capture_call_graph create_eager_task_factory create_subprocess_exec
    create_subprocess_shell create_task current_task eager_task_factory ensure_future
    format_call_graph future_add_to_awaited_by future_discard_from_awaited_by gather
    get_child_watcher get_event_loop get_event_loop_policy get_running_loop iscoroutine
    iscoroutinefunction isfuture new_event_loop open_connection open_unix_connection
    print_call_graph run run_coroutine_threadsafe set_child_watcher set_event_loop
    set_event_loop_policy shield sleep start_server start_unix_server timeout timeout_at
    to_thread wait wait_for wrap_future
"""


def main():
    table = TABLE.read_text()
    known = set(re.findall(r"\w+", " ".join(re.findall(r"`([^`]*)`", table))))
    problems = [f"{TABLE.name} lacks asyncio's {name}" for name in NAMES.split() if name not in known]
    for page in sorted((ROOT / "docs").glob("*.md")):
        for header in re.findall(r"<(brio/[\w/]+\.hpp)>", page.read_text()):
            if not (ROOT / header).exists():
                problems.append(f"{page.name} names <{header}>, which does not exist")
    for problem in problems:
        print(problem)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
