"""How likely chance alone makes a version look so much worse than another: exact one-sided tests of two windows."""

from functools import lru_cache
from math import ceil
from typing import Final

from longshore.planning.windows import Window, count_at, percentile

_BOUND_TOLERANCE: Final = 0.001
"""Bucket bounds are rounded numbers: one this close to a wanted bound is that bound."""

_ROUNDING: Final = 1e-9
"""0.99 · 100 is a little more than 99 in floating point, and must not count as 100 requests."""


def error_rate_p_value(new: Window, old: Window, max_increase: float) -> float:
    """One-sided exact test that new's error rate is above old's times (1 + max_increase).

    Errors are rare, so both counts are Poisson; given their sum k, new's is binomial with k tries and probability
    n_new · r / (n_new · r + n_old), r = 1 + max_increase. Source: Przyborowski and Wilenski, Homogeneity of results
    in testing samples from Poisson series, Biometrika 31 (1940). Where errors are frequent it is conservative.
    """
    from scipy.stats import binom

    tries = new.errors + old.errors
    weight = new.requests * (1 + max_increase)
    return float(binom.sf(new.errors - 1, tries, weight / (weight + old.requests)))


def latency_p_value(new: Window, old: Window, max_increase: float, quantile: float) -> float:
    """One-sided exact test that new's latency quantile is above old's times (1 + max_increase).

    The bound is the end of the bucket that holds old's quantile, stretched by the increase and rounded up to the next
    end of a bucket, so that requests are counted, never interpolated. If new were old, stretched, then with j of old
    above its quantile, at least x of new are so with the probability that x + j requests drawn from all of both hold
    at least x of new: hypergeometric. This is the exact precedence test, which unlike a binomial test does not take
    old's quantile as known. Source: Balakrishnan and Ng, Precedence-Type Tests and Applications (2006), chapter 2.
    """
    bound = _bucket_end(old, percentile(old.latency, quantile))
    slow_old = old.answered - ceil(quantile * old.answered - _ROUNDING)
    slow_new = new.answered - count_at(new.latency, _bucket_end(new, bound * (1 + max_increase)))
    everything = new.answered + old.answered
    return _tail(slow_new, everything, new.answered, slow_old + slow_new)


@lru_cache(maxsize=4096)
def _tail(least: int, everything: int, marked: int, drawn: int) -> float:
    """How likely at least `least` of `drawn` are among the `marked` of `everything`: hypergeometric.

    Kept, for steady traffic gives the same counts again and again, and each takes scipy milliseconds.
    """
    from scipy.stats import hypergeom

    return float(hypergeom.sf(least - 1, everything, marked, drawn))


def _bucket_end(window: Window, latency: float) -> float:
    """The first bucket bound at or above a latency; beyond the last bucket there is none, nor any request."""
    return next((bound for bound, _ in window.latency if bound >= latency * (1 - _BOUND_TOLERANCE)), latency)
