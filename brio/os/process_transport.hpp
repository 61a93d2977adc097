// The transport of a child process: its pipes, its end, and the order in which both are told.
#pragma once

#include <brio/core/loop.hpp>
#include <brio/net/list_wait.hpp>
#include <brio/os/child.hpp>
#include <brio/os/subprocess_transport.hpp>

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace brio::os::detail {

class PipeProtocol;

/// asyncio's BaseSubprocessTransport and _UnixSubprocessTransport.
class BRIO_API ProcessTransport final : public SubprocessTransport,
                                        public std::enable_shared_from_this<ProcessTransport> {
  struct Private {};

public:
  /// Starts the child and waits until its pipes stand. Cancelled or failed, the child is killed,
  /// waited for and reaped, and every descriptor is closed.
  static Coro<std::shared_ptr<ProcessTransport>> start(EventLoop& loop,
                                                       std::shared_ptr<SubprocessProtocol> protocol,
                                                       Command command, SubprocessOptions options);
  ProcessTransport(Private, EventLoop& loop, std::shared_ptr<SubprocessProtocol> protocol);
  ~ProcessTransport() override;

  void close() override;
  [[nodiscard]] bool is_closing() const noexcept override { return closed_; }
  using BaseTransport::get_extra_info;
  [[nodiscard]] std::any get_extra_info(std::string_view name) const override;
  [[nodiscard]] EventLoop& get_loop() const noexcept override { return *loop_; }
  void abandon() noexcept override;

  [[nodiscard]] int get_pid() const noexcept override { return pid_; }
  [[nodiscard]] std::optional<int> get_returncode() const noexcept override { return returncode_; }
  [[nodiscard]] std::shared_ptr<Transport> get_pipe_transport(int fd) const override;
  void send_signal(int signal_number) override;
  void terminate() override;
  void kill() override;
  void set_protocol(std::shared_ptr<SubprocessProtocol> protocol) override;
  [[nodiscard]] std::shared_ptr<SubprocessProtocol> get_protocol() const override {
    return protocol_;
  }
  [[nodiscard]] std::string repr() const override;

  /// Waits until the child has ended, though its pipes may be open; the return code. Any number of
  /// tasks may wait.
  static Coro<int> wait(std::shared_ptr<ProcessTransport> self);

private:
  friend class PipeProtocol;

  void spawn(const Command& command, const SubprocessOptions& options);
  static Coro<void> connect_pipes(std::shared_ptr<ProcessTransport> self, Future<> waiter);
  static Coro<void> connect_each(std::shared_ptr<ProcessTransport> self);
  void give_up_connecting(const Future<>& waiter, const std::exception_ptr& error);
  // Queues a call of the protocol's; until connection_made is queued it is put by.
  void call(brio::detail::UniqueFunction<void()> function);
  void pipe_data_received(int fd, std::string_view data);
  void pipe_connection_lost(int fd, std::exception_ptr exc);
  void process_exited(int returncode);
  void try_finish();
  void call_connection_lost();
  void leave_registry() noexcept;

  brio::detail::Ref<brio::detail::LoopCore> loop_kept_;
  EventLoop* loop_;
  std::shared_ptr<SubprocessProtocol> protocol_;
  std::unique_ptr<Child> child_;
  int pid_ = 0;
  std::optional<int> returncode_;
  std::array<Descriptor, 3> ends_;                      // ours, until they are connected
  std::array<std::shared_ptr<PipeProtocol>, 3> pipes_;  // from then on
  std::optional<std::vector<brio::detail::UniqueFunction<void()>>> pending_calls_;
  brio::detail::WaitList exits_;
  bool connecting_ = true;
  bool connected_ = false;  // connection_made is queued
  bool closed_ = false;
  bool finished_ = false;  // connection_lost is queued
  bool lost_ = false;      // connection_lost was called
};

}  // namespace brio::os::detail
