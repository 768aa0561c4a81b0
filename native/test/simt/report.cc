#include "native/test/simt/report.h"

#include <dlfcn.h>

#include <cstdarg>
#include <cstdio>
#include <map>
#include <set>
#include <utility>

#include "native/test/simt/control.h"
#include "native/test/simt/machine.h"

namespace simt {

const char* operation_name = "";
Options options;

namespace {
std::vector<std::string> reports;
std::set<std::pair<std::string, const char*>> seen;

std::string base_name(const char* path) {
  const std::string text = path;
  return text.substr(text.rfind('/') + 1);
}

// "file:line", and after it what the line was inlined into.
std::string line_of(const void* address) {
  static std::map<const void*, std::string> known;
  const auto found = known.find(address);
  if (found != known.end()) return found->second;
  std::string text;
  Dl_info image;
  if (dladdr(address, &image) != 0) {
    char command[600];
    const auto offset = static_cast<const char*>(address) - 1 - static_cast<const char*>(image.dli_fbase);
    std::snprintf(command, sizeof command, "addr2line -sie '%s' %#zx 2>/dev/null", image.dli_fname, size_t(offset));
    if (FILE* pipe = popen(command, "r")) {
      char line[256];
      while (std::fgets(line, sizeof line, pipe) != nullptr) {
        std::string frame = line;
        frame = frame.substr(0, frame.find_first_of(" \n"));
        if (frame.rfind("engine.h", 0) == 0) break;  // the launch around the kernel
        text += (text.empty() ? "" : " < ") + frame;
      }
      pclose(pipe);
    }
  }
  if (text.empty()) text = "an unknown line";
  return known[address] = text;
}
}  // namespace

void report(Where where, const char* format, ...) {
  char sentence[512];
  va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(sentence, sizeof sentence, format, arguments);
  va_end(arguments);
  std::string place;
  if (where.address != nullptr) place = " at " + line_of(where.address);
  if (where.place.file != nullptr)
    place = " at " + base_name(where.place.file) + ":" + std::to_string(where.place.line);
  if (!seen.insert({place, format}).second) return;
  std::string text = std::string(operation_name) + ": " + sentence + place;
  if (self != nullptr) {
    char thread[128];
    std::snprintf(thread, sizeof thread, " [block %u,%u,%u thread %u,%u,%u]", self->block.x, self->block.y,
                  self->block.z, self->thread.x, self->thread.y, self->thread.z);
    text += thread;
  }
  if (options.print) std::fprintf(stderr, "simt: %s\n", text.c_str());
  reports.push_back(std::move(text));
}
void forget_duplicates() { seen.clear(); }

std::vector<std::string> take_reports() {
  cudaDeviceSynchronize();
  forget_duplicates();
  return std::exchange(reports, {});
}

}  // namespace simt
