// Inside brio/exec. How many processors there are for us.
#pragma once

namespace brio::detail {

/// As many as the scheduler lets this process use, at least 1 (os.process_cpu_count).
[[nodiscard]] int usable_processors() noexcept;

}  // namespace brio::detail
