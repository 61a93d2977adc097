"""What asyncio's protocols are told over TCP and Unix sockets, and in which order: the source of
what the test_asyncio_order_*.cpp beside this folder expect.

    python3.13 tests/net/asyncio_order [part of a case's name]

A line for each case: its name and what every side was told. Most cases run over TCP and over a Unix
socket; where these differ there are two lines.
"""

import asyncio
import sys

# Each adds its cases.
import reading  # noqa: F401
import writing
import ends
import errors
import servers
import connecting
import datagrams
from support import CASES


def main():
    for name, kinds, function in CASES:
        if len(sys.argv) > 1 and sys.argv[1] not in name:
            continue
        told = {}
        for kind in kinds:
            async def run():
                return await asyncio.wait_for(function(kind), 20)
            lines = " | ".join(trace.told() for trace in asyncio.run(run()))
            told.setdefault(lines, []).append(kind)
        for lines, which in told.items():
            print(f"{name} [{', '.join(which)}]  {lines}", flush=True)


main()
