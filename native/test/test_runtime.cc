// Threads, memory budget and borrow list.
#include <atomic>
#include <filesystem>
#include <fstream>
#include <limits>
#include <stdexcept>

#include "native/test/check.h"

namespace sino::test {

TEST(every_index_is_visited_once) {
  Bench bench;
  std::vector<std::atomic<int>> visits(10007);
  bench.context.parallel_for(10007, 13, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i++) visits[i]++;
  });
  for (auto& visit : visits) CHECK(visit == 1);
}

TEST(an_exception_in_a_chunk_reaches_the_caller) {
  Bench bench;
  bool caught = false;
  try {
    bench.context.parallel_for(1000, 1, [](int64_t begin, int64_t) {
      if (begin == 500) throw std::runtime_error("500");
    });
  } catch (const std::runtime_error& error) {
    caught = std::string(error.what()) == "500";
  }
  CHECK(caught);
}

TEST(a_cancelled_loop_stops_and_says_so) {
  Bench bench;
  std::atomic<int> visited{0};
  bool cancelled = false;
  try {
    bench.context.parallel_for(1000000, 1, [&](int64_t, int64_t) {
      if (++visited == 100) bench.job.cancelled = true;
    });
  } catch (const Error& error) {
    cancelled = error.code == Code::cancelled;
  }
  CHECK(cancelled);
  CHECK(visited < 1000);
}

TEST(loops_may_nest) {
  Bench bench;
  std::atomic<int> sum{0};
  bench.context.parallel_for(20, 1, [&](int64_t, int64_t) {
    bench.context.parallel_for(20, 1, [&](int64_t begin, int64_t end) { sum += int(end - begin); });
  });
  CHECK(sum == 400);
}

TEST(many_jobs_with_loops_finish) {
  ThreadPool pool(4);
  MemoryBudget memory(1 << 20);
  std::atomic<int> done{0};
  for (int j = 0; j < 200; j++)
    pool.submit([&] {
      JobControl job;
      const Context context{pool, memory, job};
      context.parallel_for(50, 3, [](int64_t, int64_t) {});
      done++;
    });
  while (done < 200) std::this_thread::yield();
  CHECK(done == 200);
}

TEST(memory_is_refused_beyond_the_budget_and_given_back) {
  MemoryBudget memory(1000);
  memory.reserve(600);
  bool refused = false;
  try {
    memory.reserve(500);
  } catch (const Error& error) {
    refused = error.code == Code::out_of_memory && error.details.size() == 2;
  }
  CHECK(refused);
  CHECK(memory.used() == 600);
  {
    Scratch<char> scratch(memory, 400);
    CHECK(memory.used() == 1000);
  }
  memory.release(600);
  CHECK(memory.used() == 0);
}

TEST(cached_files_of_a_container_count_as_free_memory) {
  namespace fs = std::filesystem;
  const fs::path folder = fs::temp_directory_path() / "sinogram_test_group";
  fs::create_directories(folder);
  const auto write = [&](const char* name, const char* text) { std::ofstream(folder / name) << text; };
  CHECK(MemoryBudget::available_in_group((folder / "none").string()) == std::numeric_limits<int64_t>::max());
  write("memory.current", "950\n");
  write("memory.max", "max\n");
  CHECK(MemoryBudget::available_in_group(folder.string()) == std::numeric_limits<int64_t>::max());
  write("memory.max", "1000\n");
  CHECK(MemoryBudget::available_in_group(folder.string()) == 50);
  write("memory.stat", "anon 150\nfile 800\ninactive_file 700\nactive_file 60\nslab_reclaimable 40\n");
  CHECK(MemoryBudget::available_in_group(folder.string()) == 850);
  fs::remove_all(folder);
}

TEST(borrowed_ranges_clash_only_when_one_is_written) {
  Borrows borrows;
  char memory[100];
  auto taken = [&](std::vector<Borrow> ranges) {
    try {
      borrows.take(ranges);
      return true;
    } catch (const Error&) {
      return false;
    }
  };
  CHECK(taken({{memory, memory + 50, false}}));
  CHECK(taken({{memory, memory + 50, false}}));
  CHECK(!taken({{memory + 49, memory + 60, true}}));
  CHECK(taken({{memory + 50, memory + 60, true}}));
  CHECK(!taken({{memory + 55, memory + 56, false}}));
  CHECK(!taken({{memory + 70, memory + 80, false}, {memory + 75, memory + 90, true}}));
  borrows.give_back({{memory + 50, memory + 60, true}});
  CHECK(taken({{memory + 55, memory + 56, false}}));
}

}  // namespace sino::test
