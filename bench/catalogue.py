"""What is measured: the programs, the jobs and the budgets. A new peer is a line here, a source for
each kind of program and a brio_bench() in CMakeLists.txt."""

# The first is the base of every ratio.
LIMIT, BRIO = "limit", "brio"
PROGRAMS = {
    LIMIT: "a plain loop of hand-written coroutines",
    BRIO: "brio",
    "asio": "Asio's coroutines",
}
# What a peer's programs need, as Debian calls it.
PACKAGES = {"asio": "libboost1.81-dev"}

# job: (one operation, what brio does and the limit does not, most × limit or None)
MICRO = {
    "await": (
        "await a coroutine that returns at once",
        "Stores where it awaits, keeps errors, refuses a second await; a pool for each thread. Near "
        "1.15 while the other core is idle, near 1.5 while it is busy (bench/README.md).",
        1.5,
    ),
    "spawn_join": (
        "create a task and await it",
        "A task has a name, a context and a state that any number may await; its first step and "
        "its end each go through the loop. The limit's joiner is resumed directly.",
        None,
    ),
    "yield_2": (
        "switch between two tasks",
        "Each step sets the current task, looks for a cancellation and stores where it waits.",
        None,
    ),
    "yield_1000": ("switch among a thousand tasks", "As between two.", None),
    "future_wake": (
        "make a future, wait for it, another task sets it and yields",
        "A future has a count, a state and a list of callbacks; the waiter's wake-up is queued.",
        None,
    ),
    "call_soon": (
        "schedule a callback and run it, 1,000 to an iteration",
        "A Handle that can be cancelled, with its context; the limit's is two words in a ring.",
        None,
    ),
    "post": (
        "a callback from another thread, on two cores",
        "The limit's nodes come from malloc and are freed by the other thread; brio's come from a "
        "pool between whose threads blocks travel in batches.",
        None,
    ),
    "timer_cancel_1": (
        "start a timer and cancel it, 1 pending; the clock is read",
        "A TimerHandle that the caller keeps, and a callback of its own.",
        None,
    ),
    "timer_cancel_10k": ("… 10,000 pending", "", None),
    "timer_cancel_100k": ("… 100,000 pending", "", None),
    "timer_cancel_1m": ("… 1,000,000 pending", "", None),
    "timer_fire_10k": (
        "start a timer that is due and run it, 10,000 at once",
        "Timers with equal deadlines fire in the order of their creation, and each has a callback "
        "of its own; the limit's share one coroutine.",
        None,
    ),
    "timer_fire_1m": ("… 1,000,000 at once", "", None),
    "cancel_sleepers": (
        "cancel a sleeping task and collect it, 10,000 at once",
        "CancelledError is thrown, kept for those who ask the task, and delivered by gather. The "
        "limit throws and catches as well, and keeps nothing.",
        None,
    ),
    "queue_1": (
        "an item from one task to another, capacity 1",
        "Each item is two waits and two wake-ups; any number of tasks may put and get.",
        None,
    ),
    "queue_1024": ("… capacity 1,024", "", None),
    "lock": (
        "acquire a lock that another task holds, yield, release",
        "A wait that can be cancelled, and a yield.",
        None,
    ),
    "gather_1k": (
        "one of 1,000 coroutines, as tasks, gathered",
        "Each child is a task, as in spawn_join; a callback counts those that are done.",
        None,
    ),
    "gather_100k": ("one of 100,000", "", None),
    "task_group_1k": ("one of 1,000 children of a task group", "As spawn_join.", None),
}
# Jobs of more than one thread get a core each.
CORES = {"post": 2}
# Not counted by callgrind: threads wait for each other, or it takes minutes.
NOT_COUNTED = {"post", "timer_fire_1m"}

# Bytes for each of 100,000 sleeping tasks; the arrays are where timers have their entries.
MEMORY = {
    "blocks": ("task and frames, malloc's headers included", 256),
    "arrays": ("arrays that grow: the timers' entries", None),
    "resident": ("resident memory", None),
}

# What hello-world includes; the sources are compile/<program>[_<variant>].cpp.
COMPILE = {
    "": ("the everyday header: `brio/brio.hpp`, `boost/asio.hpp`", 0.5),
    "lean": ("only the headers that hello-world needs", 0.5),
}
COMPILE_BASE = "asio"

# Echo over TCP on the loopback: what a request costs the server, for so many connections.
ECHO_SIZE = 64
ECHO_CONNECTIONS = [1, 64, 1000]
ECHO_ROUNDS = 7
# name: (program, arguments, BRIO_LOOP, budget as a ratio to the limit)
ECHO_SERVERS = {
    "limit": ("echo_limit", [], "", None),
    "callbacks, epoll": ("echo_brio", ["callbacks"], "epoll", 1.02),
    "callbacks, io_uring": ("echo_brio", ["callbacks"], "io_uring", 1.02),
    "streams, epoll": ("echo_brio", ["streams"], "epoll", 1.04),
    "streams, io_uring": ("echo_brio", ["streams"], "io_uring", 1.04),
}
