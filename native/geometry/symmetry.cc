#include "native/geometry/symmetry.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

namespace sino {

namespace {

constexpr double kPi = 3.14159265358979323846;
constexpr Turn kIdentity = {1, 0, 0, 1}, kMirror = {-1, 0, 0, 1};
constexpr Turn kHalf = {-1, 0, 0, -1}, kQuarter = {0, -1, 1, 0}, kThreeQuarters = {0, 1, -1, 0};

bool same(const Turn& a, const Turn& b) { return a.xx == b.xx && a.xy == b.xy && a.yx == b.yx && a.yy == b.yy; }

Turn then(const Turn& h, const Turn& g) {
  return {g.xx * h.xx + g.xy * h.yx, g.xx * h.xy + g.xy * h.yy, g.yx * h.xx + g.yy * h.yx, g.yx * h.xy + g.yy * h.yy};
}

bool is_centred(const Grid& grid) {
  return std::fabs(grid.x0 + (grid.columns - 1) / 2.0 * grid.dx) <= 1e-9 * std::fabs(grid.dx) &&
         std::fabs(grid.y0 - (grid.rows - 1) / 2.0 * grid.dy) <= 1e-9 * std::fabs(grid.dy);
}
bool is_square(const Grid& grid) {
  return grid.rows == grid.columns && std::fabs(grid.dx - grid.dy) <= 1e-12 * std::fabs(grid.dx);
}

// The turns that map pixels onto each other and rays onto rays.
std::vector<Turn> turns_of(const Geometry& g) {
  if (!is_centred(g.grid)) return {kIdentity};
  if (g.beam == Beam::parallel) return {kIdentity, kMirror};
  if (!is_square(g.grid)) return {kIdentity, kHalf};
  return {kIdentity, kHalf, kQuarter, kThreeQuarters};
}

// Views by their direction.
class Directions {
 public:
  explicit Directions(const Geometry& g) : taken(g.views(), false) {
    for (int64_t v = 0; v < g.views(); v++) sorted.emplace_back(std::atan2(g.poses[v].uy, g.poses[v].ux), v);
    std::sort(sorted.begin(), sorted.end());
  }
  // A view in direction (x, y) that no one has taken, or −1. 1e-10 rad moves no pixel by more than rounding does.
  int64_t take(double x, double y) {
    constexpr double tolerance = 1e-10;
    double angle = std::atan2(y, x);
    if (angle < sorted.front().first - tolerance) angle += 2 * kPi;
    if (angle > sorted.back().first + tolerance) angle -= 2 * kPi;
    auto at = std::lower_bound(sorted.begin(), sorted.end(), std::make_pair(angle - tolerance, int64_t(-1)));
    for (; at != sorted.end() && at->first <= angle + tolerance; ++at)
      if (!taken[at->second]) {
        taken[at->second] = true;
        return at->second;
      }
    return -1;
  }
  std::vector<bool> taken;

 private:
  std::vector<std::pair<double, int64_t>> sorted;
};

void multiply(Symmetry& s) {
  for (const Turn& g : s.turns) {
    s.product.emplace_back();
    for (const Turn& h : s.turns)
      s.product.back().push_back(static_cast<int>(
          std::find_if(s.turns.begin(), s.turns.end(), [&](const Turn& t) { return same(t, then(h, g)); }) -
          s.turns.begin()));
  }
}

}  // namespace

int64_t Symmetry::members() const {
  const auto largest = std::max_element(families.begin(), families.end(),
                                        [](const ViewFamily& a, const ViewFamily& b) { return a.views < b.views; });
  return largest == families.end() ? 1 : static_cast<int64_t>(largest->turns.size());
}

Symmetry no_symmetry(const Geometry& g) {
  Symmetry s;
  s.turns = {kIdentity};
  s.order.resize(g.views());
  for (int64_t v = 0; v < g.views(); v++) s.order[v] = v;
  s.families = {{g.views(), {0}, 0}};
  multiply(s);
  return s;
}

Symmetry symmetry_of(const Geometry& g, int64_t tile) {
  Symmetry s;
  s.turns = turns_of(g);
  const int64_t all = static_cast<int64_t>(s.turns.size());
  const Domain domain = fundamental_domain(g.grid, s);
  const int64_t across = (domain.columns + tile - 1) / tile, down = (domain.rows + tile - 1) / tile;
  if (all == 1 || across * down * all * 4 * tile * tile > 5 * (g.grid.rows + tile - 1) * (g.grid.columns + tile - 1))
    return no_symmetry(g);
  // leaders by the turns that they have followers for
  Directions directions(g);
  std::map<std::vector<int>, std::vector<std::vector<int64_t>>> families;
  int64_t leaders = 0;
  for (int64_t v = 0; v < g.views(); v++) {
    if (directions.taken[v]) continue;
    directions.taken[v] = true;
    leaders++;
    std::vector<int> turns = {0};
    std::vector<int64_t> views = {v};
    for (int i = 1; i < all; i++) {
      const Turn& t = s.turns[i];
      const double x = g.poses[v].ux, y = g.poses[v].uy;
      const int64_t follower = directions.take(t.xx * x + t.xy * y, t.yx * x + t.yy * y);
      if (follower < 0) continue;
      turns.push_back(i);
      views.push_back(follower);
    }
    families[turns].push_back(views);
  }
  if (3 * leaders > 2 * g.views()) return no_symmetry(g);
  for (const auto& [turns, members] : families) {
    s.families.push_back({static_cast<int64_t>(members.size()), turns, static_cast<int64_t>(s.order.size())});
    for (size_t i = 0; i < turns.size(); i++)
      for (const std::vector<int64_t>& views : members) s.order.push_back(views[i]);
  }
  multiply(s);
  return s;
}

TurnedScan turned_scan(const Geometry& g) {
  std::vector<std::vector<Turn>> sets = {{kIdentity}};  // the more the better
  const bool parallel = g.beam == Beam::parallel;
  if (is_centred(g.grid)) sets.insert(sets.begin(), {kIdentity, parallel ? kMirror : kHalf});
  if (is_centred(g.grid) && is_square(g.grid))
    sets.insert(sets.begin(), parallel ? std::vector<Turn>{kIdentity, kMirror, kQuarter, then(kQuarter, kMirror)}
                                       : std::vector<Turn>{kIdentity, kHalf, kQuarter, kThreeQuarters});
  for (const std::vector<Turn>& turns : sets) {
    TurnedScan s = {g, turns, {}};
    s.geometry.poses.clear();
    Directions directions(g);
    for (int64_t v = 0; v < g.views(); v++) {
      if (directions.taken[v]) continue;
      directions.taken[v] = true;
      const double x = g.poses[v].ux, y = g.poses[v].uy;
      s.geometry.poses.push_back(g.poses[v]);
      s.view.push_back(v);
      for (size_t j = 1; j < turns.size(); j++) {
        const Turn& t = turns[j];
        s.view.push_back(directions.take(t.xx * x + t.xy * y, t.yx * x + t.yy * y));
      }
    }
    if (10 * static_cast<int64_t>(s.view.size()) <= 11 * g.views()) return s;
  }
  return {};  // never: every view leads itself
}

Domain fundamental_domain(const Grid& grid, const Symmetry& s) {
  if (s.turns.size() == 1) return {grid.rows, grid.columns};
  const int64_t half_rows = (grid.rows + 1) / 2, half_columns = (grid.columns + 1) / 2;
  if (s.turns.size() == 4) return {half_rows, half_columns};
  return same(s.turns[1], kMirror) ? Domain{grid.rows, half_columns} : Domain{half_rows, grid.columns};
}

}  // namespace sino
