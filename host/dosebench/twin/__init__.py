"""The twin: a simulated board and its physics, driven in virtual time.

The firmware runs in its own interpreter (`runtimes`) and reaches its hardware through the bench bus (`bus`). `machine`
answers that bus with flash, UART, motor and plant models; `twin` owns the virtual clock and moves it only when asked.
"""
