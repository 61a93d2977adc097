"""gdb commands for brio: which tasks there are, and where each of them waits.

    (gdb) source brio.py
    (gdb) brio tasks          every unfinished task of every thread's running loop, a line each
    (gdb) brio stack          the async stack of each of them, outermost coroutine first
    (gdb) brio stack Task-3   of one

Works on a live process and on a core file; needs brio's debug information (-g).
"""

import gdb

LIMIT = 100_000  # frames or tasks, should memory be corrupt


def text(pointer):
    return pointer.string(errors="replace") if int(pointer) else "?"


def place(location):
    """(function, file, line) of a std::source_location."""
    impl = location["_M_impl"]
    if not int(impl):
        return "?", "?", 0
    impl = impl.dereference()
    return text(impl["_M_function_name"]), text(impl["_M_file_name"]), int(impl["_M_line"])


def task_name(task):
    name = int(task["name_"])
    if not name & 1:
        return f"Task-{name >> 1}"
    string = gdb.lookup_type("std::string").pointer()
    held = gdb.Value(name & ~1).cast(string).dereference()
    return text(held["_M_dataplus"]["_M_p"])


def chain(task):
    """The promises from the innermost suspended coroutine out to the task's first one."""
    promise = task["suspended_"] if int(task["suspended_"]) else task["root_"]
    for _ in range(LIMIT):
        if not int(promise):
            return
        yield promise.dereference()
        promise = promise["awaiter_"]


def tasks():
    """Every unfinished task, thread by thread."""
    before = gdb.selected_thread()
    seen = set()
    try:
        for thread in gdb.selected_inferior().threads():
            thread.switch()
            try:
                loop = gdb.parse_and_eval("brio::detail::thread_state.running")
            except gdb.error as error:
                raise gdb.GdbError(f"brio: no thread state here ({error})")
            if not int(loop) or int(loop) in seen:
                continue
            seen.add(int(loop))
            task = loop.dereference()["first_task_"]
            for _ in range(LIMIT):
                if not int(task):
                    break
                yield thread, task.dereference()
                task = task["next_task_"]
    finally:
        if before is not None and before.is_valid():
            before.switch()


def state(task):
    if int(task["waiting_on_"]):
        return "waiting"
    return "ready" if int(task["suspended_"]) else "new or running"


class Brio(gdb.Command):
    """Commands that know brio's tasks: brio tasks, brio stack [NAME]."""

    def __init__(self):
        super().__init__("brio", gdb.COMMAND_STACK, gdb.COMPLETE_NONE, True)


class BrioTasks(gdb.Command):
    """brio tasks: every unfinished task, with its state and the place of its innermost await."""

    def __init__(self):
        super().__init__("brio tasks", gdb.COMMAND_STACK)

    def invoke(self, argument, from_tty):
        count = 0
        for _, task in tasks():
            count += 1
            innermost = next(chain(task), None)
            function, file, line = place(innermost["where_"]) if innermost is not None else ("?", "?", 0)
            print(f"{task_name(task):<16} {state(task):<15} {file}:{line} in {function}")
        print(f"{count} tasks")


class BrioStack(gdb.Command):
    """brio stack [NAME]: the async stack of each unfinished task, outermost coroutine first."""

    def __init__(self):
        super().__init__("brio stack", gdb.COMMAND_STACK)

    def invoke(self, argument, from_tty):
        wanted = argument.strip()
        found = False
        for thread, task in tasks():
            name = task_name(task)
            if wanted and name != wanted:
                continue
            found = True
            _, file, line = place(task["where_"])
            print(f"{name} ({state(task)}) in thread {thread.num}, created at {file}:{line}")
            for depth, promise in enumerate(reversed(list(chain(task)))):
                function, file, line = place(promise["where_"])
                print(f"  #{depth} {function} at {file}:{line}")
        if not found:
            print(f"no task named {wanted}" if wanted else "no tasks")


Brio()
BrioTasks()
BrioStack()
