"""The contract in construct; nothing at run time imports it."""
