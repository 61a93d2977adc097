#include <brio/net/protocol.hpp>

#include <brio/net/transport.hpp>

namespace brio {

// The defaults do nothing, as asyncio's do. They stand here to anchor the classes' vtables.
BaseProtocol::~BaseProtocol() = default;
void BaseProtocol::connection_lost(std::exception_ptr /*exc*/) {}
void BaseProtocol::pause_writing() {}
void BaseProtocol::resume_writing() {}

void Protocol::connection_made(std::shared_ptr<Transport> /*transport*/) {}
void Protocol::data_received(std::string_view /*data*/) {}
bool Protocol::eof_received() { return false; }

void BufferedProtocol::data_received(std::string_view /*data*/) {}

void DatagramProtocol::connection_made(std::shared_ptr<DatagramTransport> /*transport*/) {}
void DatagramProtocol::datagram_received(std::string_view /*data*/,
                                         const net::SocketAddress& /*addr*/) {}
void DatagramProtocol::error_received(std::exception_ptr /*exc*/) {}

}  // namespace brio
