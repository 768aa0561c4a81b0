// One operation of a device: its kernel, or none, and the name to say so with.
#pragma once

#include <string>

#include "native/runtime/slabs.h"

namespace sino {

template <typename Args>
struct Operation {
  using Kernel = void (*)(const Context&, const Args&);
  const char* name;
  Kernel kernel;

  explicit operator bool() const { return kernel != nullptr; }
  // On arrays where the context has them: the host's, or in its space.
  void operator()(const Context& context, const Args& args) const {
    if (!kernel)
      throw Error(Code::unsupported,
                  std::string("There is no ") + name + " for CUDA in this version. Use device \"cpu\" or \"auto\".");
    kernel(context, args);
  }
  // On arrays of the caller, which a device gets in slabs.
  void run(const Context& context, const Args& args) const {
    in_slabs(context, args, [this](const Context& there, const Args& slab) { (*this)(there, slab); });
  }
};

}  // namespace sino
