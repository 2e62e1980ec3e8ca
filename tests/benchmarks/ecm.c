/* One ECM cell in C, for comparison: the same equations and the same step control as the compiled Python of the model.
 *
 * Written by hand after current, circuit, kinetics, damage and integrator of the model, function by function and in the same
 * order of operations, so that both take the same steps. What they mean is said there and in ecm-model.md. "places.h"
 * is made by the benchmark: the places of parameters and state in their vectors, and the model's constants.
 */
#include "ecm_cell.h"

typedef struct { double u, i, u_x, u_r, i_x, i_r; bool limited; } Solution;
typedef struct { double x, r, xx, xr, rx, rr, u, i, w, xw, rw, wx, wr, ww; } Slopes;
typedef struct { double x, r, w; } Point;

/* ---- circuit ---- */

static double at_voltage(Params p, double v_s, double resistance, double x, double r, double guess)
{
    double low = 0.0, high = v_s / p[N_J], u = least(most(guess, low), high), step = high, before = high, i_u, i_x, i_r;
    for (int k = 0; k < MAX_ITERATIONS; k++) {
        double i = current(p, u, x, r, &i_u, &i_x, &i_r);
        double excess = p[N_J] * u + i * resistance - v_s;
        if (excess > 0.0) high = u; else low = u;
        double newton = excess / (p[N_J] + i_u * resistance);
        bool halve = !(low <= u - newton && u - newton <= high) || fabs(newton) > 0.5 * before;
        before = fabs(step);
        step = halve ? u - 0.5 * (low + high) : newton;
        u -= step;
        if (fabs(step) < ABSOLUTE + RELATIVE * u) break;
    }
    return u;
}

static double at_current(Params p, double i_cc, double x, double r, double top, double guess)
{
    double low = TINY_V, high = top, u = least(most(guess, low), high), step = log(high / low), before = step;
    double i_u, i_x, i_r;
    for (int k = 0; k < MAX_ITERATIONS; k++) {
        double i = current(p, u, x, r, &i_u, &i_x, &i_r);
        double excess = log(most(i, TINY_V) / i_cc);
        if (excess > 0.0) high = u; else low = u;
        double newton = excess * i / (u * i_u);
        double after = u * exp(-least(most(newton, -CAP_LOG), CAP_LOG));
        bool halve = !(low <= after && after <= high) || fabs(newton) > 0.5 * before;
        before = fabs(step);
        if (halve) after = sqrt(low) * sqrt(high);
        step = halve ? log(u / after) : newton;
        u = after;
        if (fabs(step) < RELATIVE) break;
    }
    return u;
}

static Solution solve(Params p, double v_s, double i_cc, double r_src, double x, double r, double guess)
{
    double wire = p[RHO_K] / (r * r), resistance = r_src + (p[R_S] + wire), inside_r = -2.0 * wire / r, i_u, i_x, i_r;
    double u = at_voltage(p, v_s, resistance, x, r, guess);
    double i = current(p, u, x, r, &i_u, &i_x, &i_r);
    if (i > i_cc) {
        u = at_current(p, i_cc, x, r, u, guess);
        current(p, u, x, r, &i_u, &i_x, &i_r);
        return (Solution){u, i_cc, -i_x / i_u, -i_r / i_u, 0.0, 0.0, true};
    }
    double d = p[N_J] + i_u * resistance, u_x = -i_x * resistance / d, u_r = -(i_r * resistance + i * inside_r) / d;
    return (Solution){u, i, u_x, u_r, i_x + i_u * u_x, i_r + i_u * u_r, false};
}

/* ---- integrator ---- */

static Slopes slopes(Params p, const double *s, Point y, double guess)
{
    Solution c = solve(p, fabs(s[V_S]), s[I_CC], s[R_SRC], y.x, y.r, guess);
    Rates k = rates(p, s[V_S] > 0.0, s[X_F], c.u, c.i, y.x, y.r, y.w);
    double w_u, w_w, f_w = supply(p, s[V_S] > 0.0, c.u, y.w, &w_u, &w_w);
    return (Slopes){
        k.x, k.r, k.x_x + k.x_u * c.u_x, k.x_r + k.x_u * c.u_r,
        k.r_x + k.r_u * c.u_x + k.r_i * c.i_x, k.r_r + k.r_u * c.u_r + k.r_i * c.i_r, c.u, c.i,
        f_w, k.x_w, k.r_w, w_u * c.u_x, w_u * c.u_r, w_w,
    };
}

static inline bool fits(Params p, double x, double r)
{
    double margin = 2.5 * p[LAM_C];
    return p[X_MIN] - margin < x && x < p[THICKNESS] + margin && 0.3 * p[R_N] < r && r < 1.2 * p[R_RES];
}

static inline Point stage(const Slopes *f, double g, Point k)
{
    double d_w = 1.0 - g * f->ww, x_w = g * f->xw / d_w, r_w = g * f->rw / d_w;
    double a = 1.0 - g * f->xx - x_w * g * f->wx, b = -g * f->xr - x_w * g * f->wr;
    double c = -g * f->rx - r_w * g * f->wx, d = 1.0 - g * f->rr - r_w * g * f->wr;
    double b_x = k.x + x_w * k.w, b_r = k.r + r_w * k.w, det = a * d - b * c;
    double k_x = (d * b_x - b * b_r) / det, k_r = (a * b_r - c * b_x) / det;
    return (Point){k_x, k_r, (k.w + g * (f->wx * k_x + f->wr * k_r)) / d_w};
}

static bool attempt(Params p, const double *s, double h, const Slopes *f, Point *end, double *error)
{
    double g = GAMMA * h;
    Point y = {s[X], s[R], s[W]}, a = stage(f, g, (Point){f->x, f->r, f->w});
    *end = y, *error = 0.0;
    if (!fits(p, y.x + h * a.x, y.r + h * a.r)) return false;
    Slopes m = slopes(p, s, (Point){y.x + h * a.x, y.r + h * a.r, y.w + h * a.w}, f->u);
    Point b = stage(f, g, (Point){m.x - 2.0 * a.x, m.r - 2.0 * a.r, m.w - 2.0 * a.w});
    *end = (Point){y.x + h * (1.5 * a.x + 0.5 * b.x), y.r + h * (1.5 * a.r + 0.5 * b.r), y.w + h * (1.5 * a.w + 0.5 * b.w)};
    double along = most(fabs(a.x + b.x) / (1.0 + 0.02 * fabs(y.x)), RADIUS * fabs(a.r + b.r));
    *error = 0.5 * h * most(along, SUPPLY * fabs(a.w + b.w));
    return fits(p, end->x, end->r);
}

static double longest(const Slopes *f, double h, double left)
{
    double trace = f->xx + f->rr, det = f->xx * f->rr - f->xr * f->rx;
    bool quiet = fabs(f->x) * left < QUIET && fabs(f->r) * left < QUIET && fabs(f->w) * left < QUIET;
    if (trace <= 0.0 && det >= 0.0 && quiet) return left;
    double half = 0.5 * trace, growing = half + sqrt(most(half * half - det, 0.0));
    if (growing * h > RUNAWAY) h = RUNAWAY / growing;
    return least(h, left);
}

static bool settle(Params p, double *s)
{
    s[X_F] = least(s[X_F], s[X]);
    if (s[WORN] >= DAMAGED || s[BURNT] >= DAMAGED) {
        s[EVENT] = s[BURNT] >= DAMAGED ? BURNT_OUT : BROKE_DOWN;
        return true;
    }
    if (s[X] < p[X_MIN] + ON_SHARE * (p[X_0] - p[X_MIN])) s[ON] = 1.0;
    if (s[ON] > 0.5 && s[X] > p[X_0] - NEAR_X0) {
        s[ON] = 0.0;
        s[EVENT] = RUPTURED;
        return true;
    }
    return false;
}

static double next_step(double h, double wanted, bool accepted, double share)
{
    double factor = SAFETY / sqrt(most(share, 1e-6));
    double after = most(h * least(FASTER, most(SLOWER, factor)), SHORTEST);
    return accepted && h < wanted ? most(after, wanted) : after;
}

static int integrate(Params p, double *s, double tolerance)
{
    Point y = {s[X], s[R], s[W]};
    Slopes f = slopes(p, s, y, s[U]);
    wear(p, s, 0.0, f.u, f.i);
    s[TRIES] = 0.0;
    while (s[LEFT] > 0.0 && (f.x != 0.0 || f.r != 0.0 || f.w != 0.0 || s[WEARING] > 0.0 || s[BURNING] > 0.0)) {
        double error, h = least(until_broken(s, longest(&f, s[H], s[LEFT])), s[LEFT]);
        s[TRIES] += 1.0;
        if (s[TRIES] > MAX_TRIES) return EXHAUSTED;
        double share = attempt(p, s, h, &f, &y, &error) ? error / tolerance : 1e6;
        bool accepted = share < 1.0 || h <= SHORTEST;
        s[H] = next_step(h, s[H], accepted, share);
        if (!accepted) continue;
        y.w = y.w > DRAINED ? y.w : 0.0;
        s[X] = y.x, s[R] = y.r, s[W] = y.w, s[U] = f.u;
        s[LEFT] = most(s[LEFT] - h, 0.0);
        s[STEPS] += 1.0;
        f = slopes(p, s, y, f.u);
        wear(p, s, h, f.u, f.i);
        if (settle(p, s)) {
            s[H] = 0.0;
            return HAPPENED;
        }
    }
    return DONE;
}

/* Hold a drive: how it ended; *i: the current (A) at the end. */
int dwell(Params p, double *s, double v_s, double i_cc, double r_src, double duration, double tolerance, double *i)
{
    if (v_s != s[V_S] || i_cc != s[I_CC] || r_src != s[R_SRC] || s[H] <= 0.0) {
        s[V_S] = v_s, s[I_CC] = i_cc, s[R_SRC] = r_src;
        s[H] = s[H] <= 0.0 ? FIRST * duration : least(s[H], FIRST * duration);
    }
    s[LEFT] = duration;
    int ended = integrate(p, s, tolerance);
    Solution found = solve(p, fabs(v_s), i_cc, r_src, s[X], s[R], s[U]);
    s[U] = found.u;
    *i = v_s >= 0.0 ? found.i : -found.i;
    return ended;
}

/* Hold the voltages from number `from` on, the first for `left` seconds; returns the number at which something happened. */
long staircase(Params p, double *s, const double *voltages, long from, long count, double i_cc, double left, double each,
               double tolerance, double *currents)
{
    for (long k = from; k < count; k++, left = each)
        if (dwell(p, s, voltages[k], i_cc, 0.0, left, tolerance, &currents[k]) != DONE) return k;
    return count;
}
