// Classical restoration, as JavaScript calls it.
#include <cmath>

#include "native/napi/job.h"
#include "native/napi/options.h"
#include "native/recon/degradations.h"
#include "native/recon/refocus.h"

namespace sino {

namespace {

constexpr int64_t kMostAcross = int64_t(1) << 24;

struct Planes {
  int64_t slices, rows, columns, count;
};
Planes planes_of(Arguments& a) {
  Planes p{slices_of(a), a.integer("rows", 0, kMostAcross), a.integer("columns", 0, kMostAcross), 0};
  p.count = checked_product(p.slices, p.rows * p.columns);
  return p;
}

// One number, or one per slice, finite and not negative.
std::vector<double> sizes_of(Arguments& a, const char* name, int64_t slices) {
  std::vector<double> sizes = a.numbers(name);
  require(sizes.size() == 1 || static_cast<int64_t>(sizes.size()) == slices, Code::shape,
          "Expected one number, or one per slice.");
  for (double size : sizes)
    require(size >= 0 && std::isfinite(size), Code::out_of_range, "Expected finite numbers from 0 up.");
  return sizes;
}

double size_of(Arguments& a, const char* name) {
  const double size = a.number(name);
  require(size >= 0 && std::isfinite(size), Code::out_of_range, "Expected a finite number from 0 up.");
  return size;
}

Work nonlocal_means(Arguments& a, int64_t* total) {
  const Planes p = planes_of(a);
  NonLocalArgs args{p.slices,
                    p.rows,
                    p.columns,
                    static_cast<int>(a.integer("search", 0, kMostSearch)),
                    static_cast<int>(a.integer("patch", 0, kMostPatch)),
                    size_of(a, "patchSigma"),
                    size_of(a, "spread"),
                    sizes_of(a, "sigmas", p.slices),
                    sizes_of(a, "h", p.slices),
                    a.input<float>("input", p.count),
                    a.output<float>("output", p.count),
                    static_cast<int>(a.integer("depth", 0, kMostSearch)),
                    size_of(a, "apart")};
  *total = p.slices * p.rows;
  return one(&Backend::nonlocal_means, args);
}

Work noise_level(Arguments& a, int64_t* total) {
  const Planes p = planes_of(a);
  *total = p.slices * p.rows;
  return one(&Backend::noise_level, NoiseLevelArgs{p.slices, p.rows, p.columns, a.input<float>("input", p.count),
                                                   a.output<double>("sigmas", p.slices)});
}

Work median(Arguments& a, int64_t* total) {
  const Planes p = planes_of(a);
  *total = p.slices * p.rows;
  return one(&Backend::median,
             MedianArgs{p.slices, p.rows, p.columns, static_cast<int>(a.integer("radius", 0, kMostMedianRadius)),
                        a.input<float>("input", p.count), a.output<float>("output", p.count)});
}

Work equalize(Arguments& a, int64_t* total) {
  const Planes p = planes_of(a);
  EqualizeArgs args{p.slices,
                    p.rows,
                    p.columns,
                    p.rows > 0 ? a.integer("rowTiles", 1, p.rows) : 1,
                    p.columns > 0 ? a.integer("columnTiles", 1, p.columns) : 1,
                    static_cast<int>(a.integer("bins", 2, kMostEqualizeBins)),
                    size_of(a, "limit"),
                    a.input<double>("low", p.slices),
                    a.input<double>("high", p.slices),
                    a.input<float>("input", p.count),
                    a.output<float>("output", p.count)};
  *total = p.slices * p.rows;
  return one(&Backend::equalize, args);
}

Work block_matching(Arguments& a, int64_t* total) {
  const Planes p = planes_of(a);
  const BlockMatchingArgs args{p.slices,
                               p.rows,
                               p.columns,
                               static_cast<int>(a.integer("search", 0, kMostSearch)),
                               sizes_of(a, "sigmas", p.slices),
                               a.input<float>("input", p.count),
                               a.output<float>("output", p.count)};
  *total = 2 * p.slices * p.rows;
  return one(&Backend::block_matching, args);
}

Work bias_field(Arguments& a, int64_t*) {
  const Planes p = planes_of(a);
  BiasFieldArgs args{};
  args.slices = p.slices, args.rows = p.rows, args.columns = p.columns;
  const std::vector<double> shrink = a.numbers("shrink"), mesh = a.numbers("mesh");
  require(shrink.size() == 3 && mesh.size() == 3, Code::shape, "Expected three numbers for shrink and mesh.");
  for (int axis = 0; axis < 3; axis++) {
    require(shrink[axis] >= 1 && shrink[axis] <= 64 && mesh[axis] >= 1 && mesh[axis] <= 64, Code::out_of_range,
            "Expected whole numbers from 1 to 64 for shrink and mesh.");
    args.shrink[axis] = static_cast<int64_t>(shrink[axis]), args.mesh[axis] = static_cast<int64_t>(mesh[axis]);
  }
  args.levels = static_cast<int>(a.integer("levels", 1, 8));
  args.iterations = static_cast<int>(a.integer("iterations", 1, 10000));
  args.bins = static_cast<int>(a.integer("bins", 8, 4096));
  args.fwhm = size_of(a, "fwhm");
  args.tolerance = size_of(a, "tolerance");
  args.input = a.input<float>("input", p.count);
  args.mask = a.has("mask") ? a.input<uint8_t>("mask", p.count) : nullptr;
  args.field = a.output<float>("field", p.count);
  args.output = a.output<float>("output", p.count);
  return one(&Backend::bias_field, args);
}

Work kspace(Arguments& a, int64_t* total) {
  const Planes p = planes_of(a);
  const int64_t lines = checked_product(p.slices, p.rows);
  const auto motion = [&](const char* name) { return a.has(name) ? a.input<double>(name, lines) : nullptr; };
  const KspaceArgs args{p.slices,
                        p.rows,
                        p.columns,
                        a.has("mask") ? a.input<float>("mask", p.rows * p.columns) : nullptr,
                        motion("turn"),
                        motion("down"),
                        motion("right"),
                        a.input<float>("input", p.count),
                        a.output<float>("output", p.count)};
  require(!args.turn == !args.down && !args.turn == !args.right, Code::arg_type,
          "Expected turn, down and right together.");
  *total = lines;
  return one(&Backend::kspace, args);
}

Work noise_power(Arguments& a, int64_t*) {
  const Planes p = planes_of(a);
  NoisePowerArgs args{
      p.slices, p.rows,  p.columns, a.integer("size", 1, 4096), static_cast<int>(a.integer("order", 0, 2)),
      {},       nullptr, nullptr};
  const std::vector<double> places = a.numbers("places");
  require(places.size() >= 2 && places.size() % 2 == 0, Code::shape, "Expected a row and a column for every region.");
  for (size_t k = 0; k < places.size(); k++) {
    const int64_t most = (k % 2 == 0 ? p.rows : p.columns) - args.size;
    require(places[k] >= 0 && places[k] <= double(most), Code::out_of_range, "Expected regions within the image.");
    args.places.push_back(static_cast<int64_t>(places[k]));
  }
  args.input = a.input<float>("input", p.count);
  args.power = a.output<double>("power", args.size * args.size);
  return one(&Backend::noise_power, args);
}

Work edge_line(Arguments& a, int64_t*) {
  const Planes p = planes_of(a);
  return one(&Backend::edge_line,
             EdgeLineArgs{p.slices, p.rows, p.columns, size_of(a, "reach"), a.input<float>("input", p.count),
                          a.output<double>("lines", 4 * p.slices)});
}

Work edge_spread(Arguments& a, int64_t*) {
  const Planes p = planes_of(a);
  const int64_t bins = a.integer("bins", 1, 1 << 20), count = checked_product(p.slices, bins);
  const EdgeSpreadArgs args{p.slices,
                            p.rows,
                            p.columns,
                            bins,
                            size_of(a, "width"),
                            size_of(a, "reach"),
                            a.input<double>("edges", 5 * p.slices),
                            a.input<float>("input", p.count),
                            a.output<double>("sums", count),
                            a.output<double>("counts", count)};
  require(args.width > 0, Code::out_of_range, "Expected a width above 0.");
  return one(&Backend::edge_spread, args);
}

Work channel_response(Arguments& a, int64_t*) {
  const Planes p = planes_of(a);
  const int channels = static_cast<int>(a.integer("channels", 1, kMostChannels));
  const ChannelArgs args{p.slices,
                         p.rows,
                         p.columns,
                         channels,
                         a.number("row"),
                         a.number("column"),
                         size_of(a, "width"),
                         a.input<float>("input", p.count),
                         a.output<double>("responses", p.slices * channels)};
  require(args.width > 0, Code::out_of_range, "Expected a width above 0.");
  return one(&Backend::channel_response, args);
}

// The processor's alone.
template <typename Args>
Work on_processor(void (*run)(const Context&, const Args&), const Args& args) {
  return {[=](const Context& context, const Backend&) -> Numbers {
    run(context, args);
    return {};
  }};
}

Work rician_noise(Arguments& a, int64_t* total) {
  RicianNoiseArgs args{{static_cast<uint64_t>(a.integer("seed", 0, (int64_t(1) << 53) - 1)),
                        static_cast<uint32_t>(a.integer("stream", 0, 0xFFFFFFFFll))},
                       a.integer("first", 0, int64_t(1) << 52),
                       a.integer("count", 0, int64_t(1) << 40),
                       size_of(a, "sigma"),
                       nullptr,
                       nullptr};
  args.input = a.input<float>("input", args.count);
  args.output = a.output<float>("output", args.count);
  *total = args.count;
  return on_processor(sino::rician_noise, args);
}

Work refocus(Arguments& a, int64_t* total) {
  const Planes p = planes_of(a);
  require(p.rows <= 4096 && p.columns <= 4096, Code::out_of_range, "Expected at most 4096 rows and columns.");
  RefocusArgs args{};
  args.slices = p.slices, args.rows = p.rows, args.columns = p.columns;
  args.degrees = size_of(a, "degrees"), args.pixels = size_of(a, "pixels"), args.least_gain = a.number("leastGain");
  args.real = a.input<float>("real", p.count), args.imaginary = a.input<float>("imaginary", p.count);
  const int64_t lines = *total = checked_product(p.slices, p.rows);
  args.output = a.output<float>("output", p.count);
  args.turn = a.output<double>("turn", lines);
  args.down = a.output<double>("down", lines);
  args.right = a.output<double>("right", lines);
  args.report = a.output<double>("report", checked_product(p.slices, kRefocusReport));
  return on_processor(sino::refocus, args);
}

Work brightness(Arguments& a, int64_t* total) {
  const Planes p = planes_of(a);
  const BrightnessArgs args{p.slices,
                            p.rows,
                            p.columns,
                            static_cast<int>(a.integer("order", 0, 8)),
                            a.numbers("coefficients"),
                            a.input<float>("input", p.count),
                            a.output<float>("output", p.count)};
  *total = p.slices * p.rows;
  return on_processor(sino::brightness, args);
}

}  // namespace

void add_restore_operations(std::map<std::string, Reader>& readers) {
  readers["nonlocalMeans"] = nonlocal_means;
  readers["noiseLevel"] = noise_level;
  readers["median"] = median;
  readers["equalize"] = equalize;
  readers["blockMatching"] = block_matching;
  readers["biasField"] = bias_field;
  readers["kspace"] = kspace;
  readers["refocus"] = refocus;
  readers["ricianNoise"] = rician_noise;
  readers["brightness"] = brightness;
  readers["noisePower"] = noise_power;
  readers["edgeLine"] = edge_line;
  readers["edgeSpread"] = edge_spread;
  readers["channelResponse"] = channel_response;
}

}  // namespace sino
