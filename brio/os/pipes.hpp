// Pipes, FIFOs, sockets and character devices as transports (loop.connect_read_pipe,
// loop.connect_write_pipe). Streams over them, as in asyncio:
//
//     brio::StreamReader reader;
//     const auto protocol = std::make_shared<brio::StreamReaderProtocol>(reader);
//     co_await brio::connect_read_pipe([=] { return protocol; },
//                                      brio::os::Descriptor::dup(STDIN_FILENO));
//     while (auto line = co_await reader.next()) …
//
// and brio::StreamWriter(transport, protocol) for what connect_write_pipe gives.
#pragma once

#include <brio/net/connection.hpp>
#include <brio/os/descriptor.hpp>

#include <utility>

namespace brio {

namespace os::detail {
BRIO_API Coro<net::detail::StreamPair> connect_read_pipe(net::detail::ProtocolFactory factory,
                                                         Descriptor pipe);
BRIO_API Coro<net::detail::StreamPair> connect_write_pipe(net::detail::ProtocolFactory factory,
                                                          Descriptor pipe);
}  // namespace os::detail

/// Reads from a pipe, FIFO, socket or character device, which from now on belongs to the transport
/// and is made non-blocking. Gives the transport and the protocol that `factory()` made, after
/// connection_made. At the end of the pipe eof_received and connection_lost follow, whatever
/// eof_received answers. get_extra_info<int>("pipe") is the descriptor.
///
/// Throws ValueError for anything else, such as a regular file, and what the factory throws;
/// `pipe` is closed then, as it is by a cancellation. What data_received throws is reported, and
/// the pipe is read on.
template <net::detail::MakesProtocol Factory>
Coro<net::detail::Connection<Factory>> connect_read_pipe(Factory factory, os::Descriptor pipe) {
  auto made = co_await os::detail::connect_read_pipe(std::move(factory), std::move(pipe));
  co_return net::detail::with_type<net::detail::made_protocol<Factory>>(std::move(made));
}

/// Writes to a pipe, FIFO, socket or character device; otherwise as connect_read_pipe. The writer
/// notices that a pipe's or socket's reader has gone without writing: connection_lost gets
/// BrokenPipeError if something was still buffered, and null if not. write_eof() is close().
template <net::detail::MakesProtocol Factory>
Coro<net::detail::Connection<Factory>> connect_write_pipe(Factory factory, os::Descriptor pipe) {
  auto made = co_await os::detail::connect_write_pipe(std::move(factory), std::move(pipe));
  co_return net::detail::with_type<net::detail::made_protocol<Factory>>(std::move(made));
}

}  // namespace brio
