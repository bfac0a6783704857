# data: uproot-HZZ.root:events
#
# Whole numbers and floats: division by zero, signs, powers, bits, and results beyond an int64.
from hist import Hist, axis

ints = Hist(axis.Regular(30, 0, 30, name="rule"), axis.Regular(400, -200, 200, name="value"))
floats = Hist(axis.Regular(30, 0, 30, name="rule"), axis.Regular(2000, -100, 100, name="value"))
mixed = Hist(axis.Regular(30, 0, 30, name="rule"), axis.Regular(400, -200, 200, name="value"))

for event in events:
    a = event.NPrimaryVertices * 3 - 25
    b = event.NJet - event.NMuon
    c = int(event.MET_py) - 13
    ints.fill(0, a // b)
    ints.fill(1, a % b)
    ints.fill(2, -a // b)
    ints.fill(3, -a % b)
    ints.fill(4, c // a)
    ints.fill(5, c % a)
    ints.fill(6, a * b - c)
    ints.fill(7, b**3)
    ints.fill(8, (-b) ** 2)
    ints.fill(9, -(b**2))
    ints.fill(10, a & b)
    ints.fill(11, a | c)
    ints.fill(12, a ^ c)
    ints.fill(13, ~a)
    ints.fill(14, a << 2)
    ints.fill(15, a >> 1)
    ints.fill(16, c >> 70)
    ints.fill(17, abs(a) - abs(c))
    big = 4000000000000000000 + a
    ints.fill(18, (big * 5) // 10000000000000000)
    ints.fill(19, (big + big + big) % 100)
    ints.fill(20, 3 ** (38 + event.NJet) % (a * a + 1))
    ints.fill(21, 1 << (62 + event.NJet) if event.NJet < 3 else 0)
    ints.fill(22, (c % 1) + (c // -1))
    ints.fill(23, +a - -b + 0x1f + 0b101 - 0o17 + 1_000)

    x = event.MET_px
    y = b * 1.0
    floats.fill(0, x / y)
    floats.fill(1, x // y)
    floats.fill(2, x % y)
    floats.fill(3, -x // 3)
    floats.fill(4, -x % 3)
    floats.fill(5, x % -3)
    floats.fill(6, x // 0.1)
    floats.fill(7, y % 0.1)
    floats.fill(8, y // 0.1)
    floats.fill(9, x**2 / 100)
    floats.fill(10, x**0.5)
    floats.fill(11, x**-1)
    floats.fill(12, (-y) ** y)
    floats.fill(13, 2**x)
    floats.fill(14, -(x**3) / 1e4)
    floats.fill(15, y / 0)
    floats.fill(16, 0.0 / y)
    floats.fill(17, 1e300 * x * 1e300)
    floats.fill(18, pow(y, 3))
    floats.fill(19, 0.1 + 0.2 * x - 1.5e1)

    mixed.fill(0, a / b)
    mixed.fill(1, b / 2)
    mixed.fill(2, b // 2.0)
    mixed.fill(3, a % 2.5)
    mixed.fill(4, a + x)
    mixed.fill(5, b * 0.5 - a)
    mixed.fill(6, b ** -1)
    mixed.fill(7, 2**0.5 * b)
    mixed.fill(8, True + b)
    mixed.fill(9, event.triggerIsoMu24 * 3 - event.triggerIsoMu24 / 2)
    n = 7
    n += b
    n *= 2
    n -= 1
    n //= 3
    mixed.fill(10, n)
    z = 1.0
    z += b
    z /= 3
    z **= 2
    mixed.fill(11, z)
    n <<= 2
    n |= 1
    n ^= 6
    n &= 63
    n >>= 1
    n %= 9
    mixed.fill(12, n)
