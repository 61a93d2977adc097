#!/usr/bin/env python3
"""Checks docs/coming-from-asyncio.md: every public name of asyncio (3.13's and 3.14's `__all__`
together) stands in the table, and so does every member of the loop and of what talks to the world;
where the table says "same names" brio's headers have them; every header that the docs name exists.
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

# Members of the loop, streams, transports, protocols, servers, TransportSocket and Process, and the
# keyword arguments of the networking functions and Popen.
MEMBERS = """
    abort abort_clients add_reader add_signal_handler add_writer at_eof buffer_updated call_at
    call_exception_handler call_later call_soon call_soon_threadsafe can_write_eof close
    close_clients communicate connect_accepted_socket connect_read_pipe connect_write_pipe
    connection_lost connection_made create_connection create_datagram_endpoint create_future
    create_server create_unix_connection create_unix_server data_received datagram_received
    default_exception_handler drain dup eof_received error_received exception family feed_data
    feed_eof fileno get_buffer get_debug get_exception_handler get_extra_info get_inheritable
    get_loop get_pid get_pipe_transport get_protocol get_returncode get_task_factory
    get_write_buffer_limits get_write_buffer_size getaddrinfo getnameinfo getpeername
    getsockbyname getsockname getsockopt gettimeout is_closed is_closing is_reading is_running
    is_serving kill pause_reading pause_writing pipe_connection_lost pipe_data_received
    process_exited proto read readexactly readline readuntil remove_reader remove_signal_handler
    remove_writer resume_reading resume_writing returncode run_forever run_in_executor
    run_until_complete send_signal sendfile sendto serve_forever set_debug set_default_executor
    set_exception set_exception_handler set_protocol set_task_factory set_transport
    set_write_buffer_limits setblocking setsockopt settimeout shutdown shutdown_asyncgens
    shutdown_default_executor sock_accept sock_connect sock_recv sock_recv_into sock_recvfrom
    sock_recvfrom_into sock_sendall sock_sendfile sock_sendto sockets start_serving start_tls stop
    subprocess_exec subprocess_shell terminate time transport type wait_closed write write_eof
    writelines
    all_errors allow_broadcast backlog bufsize cleanup_socket close_fds count creationflags cwd
    encoding env errors executable extra_groups fallback flags group happy_eyeballs_delay interleave
    keep_alive limit local_addr offset pass_fds pipesize preexec_fn process_group remote_addr
    restore_signals reuse_address reuse_port server_hostname server_side shell sock ssl
    start_new_session startupinfo text umask universal_newlines user
"""


def same_names(table):
    """Returns the names that a row of the table calls the same in brio."""
    for row in table.splitlines():
        cells = re.split(r"(?<!\\)\|", row)
        if len(cells) > 3 and re.match(r" same names?\b", cells[2]):
            yield from re.findall(r"\w+", " ".join(re.findall(r"`([^`]*)`", cells[1])))


def main():
    table = TABLE.read_text()
    known = set(re.findall(r"\w+", " ".join(re.findall(r"`([^`]*)`", table))))
    problems = [f"{TABLE.name} lacks asyncio's {name}" for name in (NAMES + MEMBERS).split()
                if name not in known]
    headers = " ".join(header.read_text() for header in (ROOT / "brio").rglob("*.hpp"))
    declared = set(re.findall(r"\w+", headers)) | {"Popen", "s"}  # of "Popen's"
    problems += [f"{TABLE.name} names {name}, which brio's headers lack"
                 for name in same_names(table) if name not in declared]
    for page in sorted((ROOT / "docs").glob("*.md")):
        for header in re.findall(r"<(brio/[\w/]+\.hpp)>", page.read_text()):
            if not (ROOT / header).exists():
                problems.append(f"{page.name} names <{header}>, which does not exist")
    for problem in problems:
        print(problem)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
