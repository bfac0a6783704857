from hist import Hist, axis
h = Hist(axis.Regular(10, 0, 10))
def factorial(n):
    return n * factorial(n - 1) if n > 0 else 1
for event in events:
    h.fill(factorial(event.run))
