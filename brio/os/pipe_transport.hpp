// The transports of pipes. One-way: the half that a pipe does not have throws RuntimeError.
#pragma once

#include <brio/core/context.hpp>
#include <brio/core/loop.hpp>
#include <brio/net/transport.hpp>
#include <brio/net/write_buffer.hpp>
#include <brio/net/write_flow.hpp>
#include <brio/os/descriptor.hpp>

#include <cstdint>
#include <memory>
#include <string>

namespace brio::os::detail {

/// What both directions share: who owns the descriptor, and how it ends. The descriptor is watched
/// by add_reader and add_writer, so that any engine will do.
class BRIO_API PipeTransport : public Transport,
                               public std::enable_shared_from_this<PipeTransport> {
public:
  ~PipeTransport() override;

  void close() override;
  [[nodiscard]] bool is_closing() const noexcept override { return closing_; }
  void abort() override { force_close(nullptr); }
  void force_close(std::exception_ptr exc) override;
  using BaseTransport::get_extra_info;
  [[nodiscard]] std::any get_extra_info(std::string_view name) const override;
  [[nodiscard]] EventLoop& get_loop() const noexcept override { return *loop_; }
  void abandon() noexcept override;

  void set_protocol(std::shared_ptr<Protocol> protocol) override;
  [[nodiscard]] std::shared_ptr<Protocol> get_protocol() const override { return protocol_; }

  /// For logs: "<ReadPipeTransport fd=5 polling>".
  [[nodiscard]] virtual std::string repr() const = 0;

protected:
  PipeTransport(EventLoop& loop, Descriptor pipe, std::shared_ptr<Protocol> protocol);
  /// Queues connection_made, watch_first() and the completion of `waiter`.
  void begin(Future<> waiter);
  /// The loop has called connection_made; not called when it has closed the transport.
  virtual void watch_first() = 0;
  /// Takes both watchers off.
  void unwatch();
  virtual void drop_buffer() noexcept {}
  void schedule_connection_lost(std::exception_ptr exc);
  void call_connection_lost(const std::exception_ptr& exc);
  /// Ends the transport with an error; tells the loop's exception handler of it unless `quiet`.
  void fatal_error(std::exception_ptr exc, const char* message, bool quiet);
  void report(std::exception_ptr exc, const char* message);
  void log_debug(LogLevel level, const char* what) const;
  [[nodiscard]] std::string repr_of(const char* name, bool polling, const std::string& more) const;

  brio::detail::Ref<brio::detail::LoopCore> loop_kept_;
  EventLoop* loop_;
  Descriptor pipe_;
  std::shared_ptr<Protocol> protocol_;
  brio::detail::ContextSlot context_;
  bool closing_ = false;
  bool lost_ = false;     // connection_lost is queued or called
  bool reading_ = false;  // add_reader stands
  bool writing_ = false;  // add_writer stands
};

/// asyncio's _UnixReadPipeTransport.
class BRIO_API ReadPipeTransport final : public PipeTransport {
  struct Private {};

public:
  /// Takes over the reading end of a pipe, a socket or a character device; ValueError for anything
  /// else. Queues, in this order: connection_made, the start of reading, the completion of
  /// `waiter`.
  static std::shared_ptr<ReadPipeTransport> create(EventLoop& loop, Descriptor pipe,
                                                   std::shared_ptr<Protocol> protocol,
                                                   Future<> waiter);
  ReadPipeTransport(Private, EventLoop& loop, Descriptor pipe, std::shared_ptr<Protocol> protocol);

  [[nodiscard]] bool is_reading() const noexcept override { return !paused_ && !closing_; }
  void pause_reading() override;
  void resume_reading() override;

  using WriteTransport::writelines;
  void writelines(std::span<const std::string_view> pieces) override;
  void write_eof() override;
  [[nodiscard]] bool can_write_eof() const noexcept override { return false; }
  void set_write_buffer_limits(WriteBufferLimitsOptions options) override;
  [[nodiscard]] WriteBufferLimits get_write_buffer_limits() const noexcept override { return {}; }
  [[nodiscard]] std::size_t get_write_buffer_size() const noexcept override { return 0; }
  [[nodiscard]] std::string repr() const override;

private:
  void write_bytes(std::string_view data, std::string* owned) override;
  void watch_first() override;
  void start_reading();
  void readable();

  bool paused_ = false;
};

/// asyncio's _UnixWritePipeTransport.
class BRIO_API WritePipeTransport final : public PipeTransport {
  struct Private {};

public:
  /// Takes over the writing end of a pipe, a socket or a character device; ValueError for anything
  /// else. Queues, in this order: connection_made, the watch for the reader's end, the completion
  /// of `waiter`.
  static std::shared_ptr<WritePipeTransport> create(EventLoop& loop, Descriptor pipe,
                                                    std::shared_ptr<Protocol> protocol,
                                                    Future<> waiter);
  WritePipeTransport(Private, EventLoop& loop, Descriptor pipe, std::shared_ptr<Protocol> protocol);

  void close() override { write_eof(); }
  [[nodiscard]] bool is_reading() const noexcept override { return false; }
  void pause_reading() override;
  void resume_reading() override;

  using WriteTransport::writelines;
  void writelines(std::span<const std::string_view> pieces) override;
  void write_eof() override;
  [[nodiscard]] bool can_write_eof() const noexcept override { return true; }
  void set_write_buffer_limits(WriteBufferLimitsOptions options) override;
  [[nodiscard]] WriteBufferLimits get_write_buffer_limits() const noexcept override {
    return flow_.limits();
  }
  [[nodiscard]] std::size_t get_write_buffer_size() const noexcept override {
    return buffer_.size();
  }
  [[nodiscard]] std::string repr() const override;

private:
  void write_bytes(std::string_view data, std::string* owned) override;
  void watch_first() override;
  void start_writing();
  void writable();
  void reader_gone();
  // May writes be taken? Counts those that come too late.
  bool open_for_writing();
  // How much of what `parts` name the kernel took; nothing after a failure, which it handles.
  std::optional<std::size_t> put(const iovec* parts, std::size_t count);
  void buffer_grew();
  void drop_buffer() noexcept override { buffer_.clear(); }

  net::detail::WriteBuffer buffer_;
  net::detail::WriteFlow flow_;
  std::uint32_t late_writes_ = 0;
  bool notices_reader_ = false;  // a pipe or a socket tells when its reader has gone
};

}  // namespace brio::os::detail
