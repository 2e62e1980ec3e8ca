/* Current, kinetics and damage of one ECM cell in C, for comparison; see ecm.c. */
#include <math.h>
#include <stdbool.h>

#include "places.h"

typedef const double *Params;
typedef struct { double x, r, x_u, x_x, x_r, x_w, r_u, r_x, r_r, r_i, r_w; } Rates;

static inline double least(double a, double b) { return b < a ? b : a; }
static inline double most(double a, double b) { return b > a ? b : a; }

/* ---- current ---- */

static inline double exponent(Params p, double v, double x, double *s_v, double *s_x)
{
    double phi = p[PHI], b = p[B], root = sqrt(phi);
    if (v < SMALL_V) {
        double full = 1.5 * b * root;
        *s_x = full * (1.0 - v / (4.0 * phi));
        *s_v = -full * x / (4.0 * phi);
    } else if (v >= phi) {
        *s_x = b * phi * root / v;
        *s_v = -*s_x * x / v;
    } else {
        double rest = sqrt(phi - v);
        *s_x = b * (phi * root - (phi - v) * rest) / v;
        *s_v = (1.5 * b * rest - *s_x) * x / v;
    }
    return *s_x * x;
}

static inline double current(Params p, double v, double x, double r, double *i_u, double *i_x, double *i_r)
{
    double s_v, s_x, s = exponent(p, v, x, &s_v, &s_x);
    double squared = (v / p[PHI]) * (v / p[PHI]);
    double g = G_0 * p[G_C] * pow(0.5 * K_F * r, p[P_R]) * sqrt(1.0 + squared) * exp(-s);
    double tunnel = g * v, tunnel_v = g * (1.0 + squared / (1.0 + squared) - v * s_v);
    double across = p[N_J] * v, bent = (across / p[V_L]) * (across / p[V_L]);
    *i_u = tunnel_v + p[G_L] * p[N_J] * (1.0 + 3.0 * bent);
    *i_x = -tunnel * s_x;
    *i_r = p[P_R] * tunnel / r;
    return tunnel + p[G_L] * across * (1.0 + bent);
}

/* ---- kinetics ---- */

static inline double stop(double distance, double length, double *slope)
{
    double d = distance / length;
    *slope = 0.0;
    if (d < OUTSIDE) return 1.0 - exp(-OUTSIDE);
    double e = exp(-d);
    *slope = e / length;
    return 1.0 - e;
}

static inline double transfer(double scale, double up, double down, double u, double *slope)
{
    *slope = 0.0;
    if (u >= CAP * V_T) return most(scale * (exp(up * CAP) - exp(-down * CAP)), STILL);
    double forth = exp(up * u / V_T), back = exp(-down * u / V_T);
    *slope = scale * (up * forth + down * back) / V_T;
    return most(scale * (forth - back), STILL);
}

static inline double hopping(double scale, double a, double path, double u, double *v_u, double *v_x)
{
    double slope = a / (2.0 * path * V_T);
    *v_u = *v_x = 0.0;
    if (slope * u >= CAP) return scale * (exp(CAP) - exp(-CAP));
    double e = exp(slope * u), cosh = scale * (e + 1.0 / e);
    *v_u = cosh * slope;
    *v_x = -cosh * slope * u / path;
    return most(scale * (e - 1.0 / e), STILL);
}

static inline double nucleation(Params p, double u, double *v_u)
{
    double a = p[N_ALPHA] / V_T;
    *v_u = 0.0;
    if (a * u >= CAP_NUCLEATION) return most(p[NUCLEATION] * exp(CAP_NUCLEATION), STILL);
    double e = exp(a * u);
    *v_u = p[NUCLEATION] * e * a;
    return most(p[NUCLEATION] * (e - 1.0), STILL);
}

static inline double first_layer(Params p, double x, double *share_x)
{
    double edge = EDGE * p[DELTA], argument = (x - (p[X_0] - p[DELTA])) / edge;
    double share = 1.0 / (1.0 + exp(-least(most(argument, -CAP), CAP)));
    *share_x = share * (1.0 - share) / edge;
    return share;
}

static inline double growth(Params p, double u, double x, double *v_u, double *v_x)
{
    double ct_u, hop_u, hop_x, nuc_u, share_x;
    double ct = transfer(p[CT_GROWTH], p[ALPHA], 1.0 - p[ALPHA], u, &ct_u);
    double hop = hopping(p[HOP_GROWTH], p[A_H], x + p[X_S], u, &hop_u, &hop_x);
    double nuc = nucleation(p, u, &nuc_u), share = first_layer(p, x, &share_x);
    double v = 1.0 / (1.0 / ct + 1.0 / hop + share / nuc + 1.0 / V_MAX), a = v / ct, b = v / hop, c = v / nuc;
    *v_u = a * a * ct_u + b * b * hop_u + share * c * c * nuc_u;
    *v_x = b * b * hop_x - v * c * share_x;
    return v;
}

static inline double dissolution(Params p, double u, double x, double *v_u, double *v_x)
{
    double ct_u, hop_u, hop_x, ct = transfer(p[CT_BACK], 1.0 - p[ALPHA], p[ALPHA], u, &ct_u);
    double hop = most(hopping(p[HOP_BACK], p[A_H], x + p[X_S], u, &hop_u, &hop_x), STILL);
    double v = 1.0 / (1.0 / ct + 1.0 / hop + 1.0 / V_MAX), a = v / ct, b = v / hop;
    *v_u = a * a * ct_u + b * b * hop_u;
    *v_x = b * b * hop_x;
    return v;
}

static inline double forming(Params p, double u, double x, double *v_u, double *v_x)
{
    double ct_u, hop_u, hop_x, ct = transfer(p[CT_GROWTH], p[ALPHA], 1.0 - p[ALPHA], u, &ct_u);
    double hop = hopping(p[V_FO], p[A_F], x + p[X_S], u, &hop_u, &hop_x);
    double reach = p[F_RES] * p[THICKNESS], ions = 1.0 - (p[THICKNESS] - x) / reach;
    *v_u = *v_x = 0.0;
    if (ions <= 0.0) return 0.0;
    double front = most(hop * ions, STILL), v = 1.0 / (1.0 / ct + 1.0 / front + 1.0 / V_MAX), a = v / ct, b = v / front;
    *v_u = a * a * ct_u + b * b * ions * hop_u;
    *v_x = b * b * (ions * hop_x + hop / reach);
    return v;
}

static inline double rupture(Params p, double r, double *spread_r)
{
    double scale = p[K_SD] / (r * r), e = exp(least(R_GT / r, CAP));
    if (e - p[S_SD] <= p[EPS_SD]) {
        *spread_r = -2.0 * scale * p[EPS_SD] / r;
        return scale * p[EPS_SD];
    }
    double drive = e - p[S_SD];
    *spread_r = -scale * (2.0 * drive / r + e * R_GT / (r * r));
    return scale * drive;
}

static inline double thickening(Params p, double i, double r, double *left_r, double *left_i)
{
    double spare = p[R_RES] * p[R_RES] - p[R_N] * p[R_N], fed = p[KAPPA_I] * i;
    double cap = p[R_N] * p[R_N] + spare * fed / (spare + fed);
    double cap_i = p[KAPPA_I] * (spare / (spare + fed)) * (spare / (spare + fed));
    double full = r * r / cap, left = most(0.0, 1.0 - full);
    *left_r = -4.0 * left * r / cap;
    *left_i = 2.0 * left * full / cap * cap_i;
    return left * left;
}

static inline double supplied(Params p, double w, double *share_w)
{
    double q = p[Q_IN];
    *share_w = q;
    if (q == 0.0 || w >= 1.0) return 1.0;
    *share_w = 0.0;
    if (w <= 0.0) return 0.0;
    double share = pow(w, q);
    *share_w = q * share / w;
    return share;
}

static inline double supply(Params p, bool grows, double u, double w, double *w_u, double *w_w)
{
    *w_u = *w_w = 0.0;
    if (p[Q_IN] == 0.0 || p[FROZEN] > 0.5) return 0.0;
    double scale = grows || p[BIP] > 0.5 ? p[K_IN] : p[K_IN] * p[ETA_IN], drift, drift_u = 0.0;
    if (u >= CAP_SUPPLY * p[V_IN]) {
        drift = scale * (exp(CAP_SUPPLY) - exp(-CAP_SUPPLY));
    } else {
        double forth = exp(u / p[V_IN]), back = exp(-u / p[V_IN]);
        drift = scale * (forth - back);
        drift_u = scale * (forth + back) / p[V_IN];
    }
    *w_u = (1.0 - w) * drift_u;
    *w_w = -drift - p[K_OUT];
    return (1.0 - w) * drift - w * p[K_OUT];
}

static inline Rates virgin_rates(Params p, double u, double x)
{
    double v_u, v_x, low_x, v = forming(p, u, x, &v_u, &v_x), low = stop(x - p[X_MIN], p[LAM_C], &low_x);
    return (Rates){.x = -v * low, .x_u = -v_u * low, .x_x = -v_x * low - v * low_x};
}

static inline Rates opening_rates(Params p, double u, double x, double r, double w)
{
    double v = 0.0, v_u = 0.0, v_x = 0.0, v_w = 0.0, spread_r, high_x, share_w;
    if (u > 0.0) {
        v = dissolution(p, u, x, &v_u, &v_x);
        double share = supplied(p, w, &share_w);
        v_w = share_w * v;
        v *= share, v_u *= share, v_x *= share;
    }
    double out = v + rupture(p, r, &spread_r), high = stop(p[X_0] - x, p[LAM_C], &high_x);
    return (Rates){
        .x = out * high, .x_u = v_u * high, .x_x = v_x * high - out * high_x, .x_r = spread_r * high, .x_w = v_w * high,
    };
}

static inline Rates growing_rates(Params p, double u, double i, double x, double r, double w)
{
    double v_u, v_x, low_x, high_x, spread_r, left_r, left_i, share_w;
    double v = growth(p, u, x, &v_u, &v_x), share = supplied(p, w, &share_w), v_w = share_w * v;
    v *= share, v_u *= share, v_x *= share;
    double spread = rupture(p, r, &spread_r);
    double low = stop(x - p[X_MIN], p[LAM_C], &low_x), high = stop(p[X_0] - x, p[LAM_C], &high_x);
    double left = thickening(p, i, r, &left_r, &left_i);
    double there = p[LAM] * most(0.0, p[X_0] - x) / (p[X_0] - p[X_MIN]);
    double there_x = x < p[X_0] ? -p[LAM] / (p[X_0] - p[X_MIN]) : 0.0;
    return (Rates){
        -v * low + spread * high, there * left * v,
        -v_u * low, -v_x * low - v * low_x - spread * high_x, spread_r * high, -v_w * low,
        there * left * v_u, (there * v_x + v * there_x) * left, there * v * left_r, there * v * left_i, there * left * v_w,
    };
}

static inline Rates rates(Params p, bool grows, double x_f, double u, double i, double x, double r, double w)
{
    bool forward = (grows || p[BIP] > 0.5) && u > 0.0;
    if (x_f >= p[X_0] || p[FROZEN] > 0.5) return forward && p[FROZEN] < 0.5 ? virgin_rates(p, u, x) : (Rates){0};
    return forward ? growing_rates(p, u, i, x, r, w) : opening_rates(p, u, x, r, w);
}

/* ---- damage ---- */

static inline void wear(Params p, double *s, double h, double u, double i)
{
    double across = p[N_J] * u, share = i / (PI * s[R] * s[R] * p[J_BURN]);
    double worn = exp(least((across - p[V_BD]) / p[DV_BD], DAMAGE_CAP)) * (1.0 - exp(-across / p[DV_BD]));
    double burnt = share < COLD ? 0.0 : exp(least(p[M_BURN] * log(share), DAMAGE_CAP)) / p[T_BURN];
    if (h > 0.0) {
        s[WORN] = least(s[WORN] + 0.5 * h * (s[WEARING] + worn), 1.0);
        s[BURNT] = least(s[BURNT] + 0.5 * h * (s[BURNING] + burnt), 1.0);
    }
    s[WEARING] = worn;
    s[BURNING] = burnt;
}

static inline double until_broken(const double *s, double h)
{
    if (s[WEARING] * h > 1.0 - s[WORN]) h = (1.0 - s[WORN]) / s[WEARING];
    if (s[BURNING] * h > 1.0 - s[BURNT]) h = (1.0 - s[BURNT]) / s[BURNING];
    return most(h, SHORTEST);
}
