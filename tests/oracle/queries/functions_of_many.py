# data: uproot-HZZ.root:events
#
# What math has for ints, for several numbers and for sequences, and what gives two numbers.
import math
from hist import Hist, axis

h = Hist(axis.Regular(80, 0, 80, name="rule"), axis.Regular(1999, -100, 100, name="value"))

for event in events:
    jets = event.Jet
    n = len(jets)
    k = event.NMuon
    big = round(event.MET_px * 1e15)
    px, py = event.MET_px, event.MET_py

    h.fill(0, math.gcd(12 * n, 18 * k))
    h.fill(1, math.gcd(big, n * 6, 4))
    h.fill(2, math.gcd() + math.gcd(-n) + math.lcm())
    h.fill(3, math.lcm(n, k, 3))
    h.fill(4, math.lcm(big, n) % 97)
    h.fill(5, math.comb(n + 2, k))
    h.fill(6, math.comb(70, 30 + n) % 97)
    h.fill(7, math.comb(10 ** 9 + n, 3 + k) % 89)
    h.fill(8, math.perm(n, k))
    h.fill(9, math.perm(n) % 101)
    h.fill(10, math.perm(30 + n, 20) % 101)
    h.fill(11, math.factorial(n + k) % 1009 / 20)
    h.fill(12, math.factorial(20 + n) % 97)
    h.fill(13, math.isqrt(abs(big)) % 97)
    h.fill(14, math.isqrt(n * n + k))
    h.fill(15, math.comb(k, n) + math.comb(-1, n - n) + math.factorial(-k) + math.isqrt(-1 - n))
    h.fill(16, math.factorial(70) + math.gcd(True, n))

    h.fill(17, math.isclose(px, py))
    h.fill(18, math.isclose(px, py, rel_tol=0.5))
    h.fill(19, math.isclose(px, py, abs_tol=10, rel_tol=0))
    h.fill(20, math.isclose(math.inf, px) + 2 * math.isclose(math.inf, 1 / (n - n)) + 4 * math.isclose(math.nan, px))
    h.fill(21, math.isclose(n, n + 1e-10) + 2 * math.isclose(n, k))

    h.fill(22, math.fsum(event.Jet_Px))
    h.fill(23, math.fsum(x * 10.0 ** (7 * i % 40 - 20) for i, x in enumerate(event.Jet_Px + event.Jet_Py)) / 1e19)
    h.fill(24, math.fsum([px, 1e100, py, -1e100]))
    h.fill(25, math.fsum((1e-20 * px, 1.0, -1.0)) * 1e20)
    h.fill(26, math.fsum(x for j in jets for x in (j.Px, j.Py, 1e308, -1e308, 1e308, -1e308)))
    h.fill(27, math.fsum([j.Px for j in jets if j.Px > 0]) - math.fsum(j.Px for j in jets if not j.Px > 0))
    h.fill(28, math.fsum(math.fsum((j.Px, i.Px)) for j in jets for i in jets[:2]) / 20)
    h.fill(29, math.fsum((math.inf, px)) == math.inf)
    h.fill(30, math.fsum([math.inf, -math.inf, n]) == 0)
    h.fill(31, math.fsum([5e-324 * n, 5e-324, -1e-323]) * 1e300 * 1e22)

    h.fill(32, math.prod([n, k, 3]))
    h.fill(33, math.prod(j.Px / 50 for j in jets))
    h.fill(34, math.prod((n, k), start=0.5))
    h.fill(35, math.prod(range(1, n + 1), start=2))
    h.fill(36, math.prod([big, big]) % 97)
    h.fill(37, math.prod(j.ID for j in jets))

    h.fill(38, (math.hypot(px, py) * 2.0 ** 40) % 97)
    h.fill(39, math.hypot(px, py, n))
    for j in jets:
        h.fill(40, (math.hypot(j.Px, j.Py, j.Pz) * 2.0 ** 40) % 97)
        h.fill(41, (math.hypot(j.Px, j.Py, j.Pz, j.E, 1) * 2.0 ** 40) % 97)
        h.fill(42, (math.dist((j.Px, j.Py, j.Pz), (px, py, n)) * 2.0 ** 40) % 97)
        h.fill(43, math.dist([j.Px, n], [px, k]))
        h.fill(44, (math.hypot(j.Px * 1e-320, j.Py * 1e-320, j.Pz * 1e-320) * 1e300 * 1e10) % 97)
        h.fill(45, math.hypot(j.Px * 1e307, j.Py * 1e307) / 1e307)
    h.fill(46, math.hypot() + math.hypot(px) + math.hypot(math.inf, math.nan, n) * 0 + math.hypot(1, 2, 2))
    h.fill(47, (math.dist(event.Jet_Px, event.Jet_Py) * 2.0 ** 40) % 97)
    h.fill(48, math.dist((px,), (py,)) + math.dist((), ()))
    h.fill(49, math.dist(event.Jet_Px[:2], event.Jet_Py[-2:]))

    m, e = math.frexp(px * 1e5)
    h.fill(50, m)
    h.fill(51, e)
    h.fill(52, math.frexp(1 / (n - n))[1] + math.frexp(0.0)[0])
    fraction, whole = math.modf(px)
    h.fill(53, fraction)
    h.fill(54, whole)
    h.fill(55, math.modf(-1 / (n - n))[0] + sum(math.modf(n)))
    h.fill(56, math.ldexp(px, n - 3))
    h.fill(57, math.ldexp(px, 2000 * n) > 0)
    h.fill(58, math.ldexp(m, e) - px * 1e5)
    h.fill(59, math.ulp(px) * 2.0 ** 48)
    h.fill(60, math.ulp(n - n) * 2.0 ** 1000 * 2.0 ** 76 + math.ulp(1.7976931348623157e308) / 2.0 ** 970)
    h.fill(61, math.ulp(math.inf) == math.inf)
    h.fill(62, math.cbrt(px) + math.exp2(n) + math.expm1(n / 10) + math.log1p(k))
    h.fill(63, math.nextafter(px, n) == px)
    h.fill(64, math.remainder(px, 7) + math.fmod(px, 7))
    h.fill(65, math.trunc(px) + math.ceil(px) + math.floor(px))
    h.fill(66, math.log(n + 1, 2) + math.log2(k + 1) + math.log10(n + 1))
