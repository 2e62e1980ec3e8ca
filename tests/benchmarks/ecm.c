/* One ECM cell in C, for comparison: the same equations and the same step control as the compiled Python of the model.
 *
 * Written by hand after current, circuit, kinetics, damage and integrator of the model, function by function and in the same
 * order of operations, so that both take the same steps. What they mean is said there and in ecm-model.md. "places.h"
 * is made by the benchmark: the places of parameters and state in their vectors, and the model's constants.
 */
#include "ecm_cell.h"

typedef struct { double u, i, u_x, u_r, i_x, i_r; bool limited; } Solution;
typedef struct { double x, r, xx, xr, rx, rr, u, i; } Slopes;

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

static Slopes slopes(Params p, const double *s, double x, double r, double guess)
{
    Solution c = solve(p, fabs(s[V_S]), s[I_CC], s[R_SRC], x, r, guess);
    Rates k = rates(p, s[V_S] > 0.0, s[X_F], c.u, c.i, x, r);
    return (Slopes){
        k.x, k.r, k.x_x + k.x_u * c.u_x, k.x_r + k.x_u * c.u_r,
        k.r_x + k.r_u * c.u_x + k.r_i * c.i_x, k.r_r + k.r_u * c.u_r + k.r_i * c.i_r, c.u, c.i,
    };
}

static inline bool fits(Params p, double x, double r)
{
    double margin = 2.5 * p[LAM_C];
    return p[X_MIN] - margin < x && x < p[THICKNESS] + margin && 0.3 * p[R_N] < r && r < 1.2 * p[R_RES];
}

static bool attempt(Params p, const double *s, double h, const Slopes *f, double *x, double *r, double *error)
{
    double g = GAMMA * h, a = 1.0 - g * f->xx, b = -g * f->xr, c = -g * f->rx, d = 1.0 - g * f->rr, det = a * d - b * c;
    double k1_x = (d * f->x - b * f->r) / det, k1_r = (a * f->r - c * f->x) / det;
    double x_1 = s[X] + h * k1_x, r_1 = s[R] + h * k1_r;
    *x = s[X], *r = s[R], *error = 0.0;
    if (!fits(p, x_1, r_1)) return false;
    Slopes f_2 = slopes(p, s, x_1, r_1, f->u);
    double m_x = f_2.x - 2.0 * k1_x, m_r = f_2.r - 2.0 * k1_r;
    double k2_x = (d * m_x - b * m_r) / det, k2_r = (a * m_r - c * m_x) / det;
    *x = s[X] + h * (1.5 * k1_x + 0.5 * k2_x);
    *r = s[R] + h * (1.5 * k1_r + 0.5 * k2_r);
    *error = 0.5 * h * most(fabs(k1_x + k2_x) / (1.0 + 0.02 * fabs(s[X])), RADIUS * fabs(k1_r + k2_r));
    return fits(p, *x, *r);
}

static double longest(const Slopes *f, double h, double left)
{
    double trace = f->xx + f->rr, det = f->xx * f->rr - f->xr * f->rx;
    if (trace <= 0.0 && det >= 0.0 && fabs(f->x) * left < QUIET && fabs(f->r) * left < QUIET) return left;
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
    Slopes f = slopes(p, s, s[X], s[R], s[U]);
    wear(p, s, 0.0, f.u, f.i);
    s[TRIES] = 0.0;
    while (s[LEFT] > 0.0 && (f.x != 0.0 || f.r != 0.0 || s[WEARING] > 0.0 || s[BURNING] > 0.0)) {
        double x, r, error, h = least(until_broken(s, longest(&f, s[H], s[LEFT])), s[LEFT]);
        s[TRIES] += 1.0;
        if (s[TRIES] > MAX_TRIES) return EXHAUSTED;
        double share = attempt(p, s, h, &f, &x, &r, &error) ? error / tolerance : 1e6;
        bool accepted = share < 1.0 || h <= SHORTEST;
        s[H] = next_step(h, s[H], accepted, share);
        if (!accepted) continue;
        s[X] = x, s[R] = r, s[U] = f.u;
        s[LEFT] = most(s[LEFT] - h, 0.0);
        s[STEPS] += 1.0;
        f = slopes(p, s, x, r, f.u);
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
