"""What a figure carries besides its value: pure functions, floats in and small frozen values out.

No random numbers: each figure is a closed form or a bisection, and each sum is exact, so that the same rows in any
order give the same bits. A figure that cannot be given is None with a reason; never 0, never an interval of no width.
"""
