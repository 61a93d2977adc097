// A cancellation is no std::exception: no handler for those may take it by accident.
#include <brio/core/exceptions.hpp>

#include <exception>

//! compiles: a CancelledError is caught by its name
void by_name() {
  try {
    throw brio::CancelledError();
  } catch (const brio::CancelledError&) {
  }
}

//! compiles: an OSError is a std::exception
const std::exception& as_base(const brio::OSError& error) { return error; }

//! refused: a CancelledError is passed off as a std::exception
//! error: CancelledError
//! error: std::exception
const std::exception& as_base(const brio::CancelledError& error) { return error; }

//! refused: a system error without the name of its operation
//! error: too few arguments|no matching function
void nameless() { brio::throw_oserror(2); }
