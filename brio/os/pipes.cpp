#include <brio/os/pipes.hpp>

#include <brio/core/logging.hpp>
#include <brio/core/outcome.hpp>
#include <brio/os/pipe_transport.hpp>

#include <utility>

namespace brio::os::detail {

namespace {

template <class T>
Coro<net::detail::StreamPair> connect(const char* kind, net::detail::ProtocolFactory factory,
                                      Descriptor pipe) {
  EventLoop& loop = get_running_loop();
  std::shared_ptr<Protocol> protocol = factory();
  const Future<> waiter = loop.create_future();
  const std::shared_ptr<T> transport = T::create(loop, std::move(pipe), protocol, waiter);
  const auto made = co_await as_outcome(waiter);
  if (!made) {
    transport->close();
    made.raise();
  }
  if (loop.get_debug()) {
    log(LogLevel::debug, "brio.os", std::string(kind) + " connected: " + transport->repr());
  }
  co_return net::detail::StreamPair{transport, std::move(protocol)};
}

}  // namespace

Coro<net::detail::StreamPair> connect_read_pipe(net::detail::ProtocolFactory factory,
                                                Descriptor pipe) {
  co_return co_await connect<ReadPipeTransport>("Read pipe", std::move(factory), std::move(pipe));
}

Coro<net::detail::StreamPair> connect_write_pipe(net::detail::ProtocolFactory factory,
                                                 Descriptor pipe) {
  co_return co_await connect<WritePipeTransport>("Write pipe", std::move(factory), std::move(pipe));
}

}  // namespace brio::os::detail
