// Arguments that several operations share.
#pragma once

#include "native/napi/arguments.h"
#include "native/recon/fbp.h"

namespace sino {

inline int64_t slices_of(Arguments& a) { return a.integer("slices", 0, int64_t(1) << 31); }

inline Window window_named(const std::string& name) {
  if (name == "ram-lak") return Window::ram_lak;
  if (name == "shepp-logan") return Window::shepp_logan;
  if (name == "cosine") return Window::cosine;
  if (name == "hamming") return Window::hamming;
  if (name == "hann") return Window::hann;
  throw Error(Code::out_of_range,
              "Expected filter ram-lak, shepp-logan, cosine, hamming or hann but received \"" + name + "\".");
}

// What so many views cost the processor: all pixels look at each.
inline double steps_of(const Geometry& g, int64_t views) { return double(g.grid.pixels()) * double(views); }

inline FbpOptions fbp_options(Arguments& a) { return {window_named(a.text("filter")), a.number("cutoff", 1)}; }

}  // namespace sino
