"""pyserial URL handlers. `dosebench.ports.register()` adds this package to pyserial's list."""
