"""A twin that is driven through days or a scenario, and judged."""
