# What this pump is: the figures of its profile, set at flashing. Data, not code.


class Profile:
    """Read from the board's configuration. Raises KeyError for a figure that is missing."""

    def __init__(self, config):
        self.name = config["profile"]
        self.step_nl_num = config["step_nl_num"]
        self.step_nl_den = config["step_nl_den"]
        self.rate_min_num = config["rate_min_num"]
        self.rate_min_den = config["rate_min_den"]
        self.rate_max_num = config["rate_max_num"]
        self.rate_max_den = config["rate_max_den"]
        self.hard_hour_steps = config["hard_hour_steps"]
        self.hard_day_steps = config["hard_day_steps"]
        self.bolus_steps_max = config["bolus_steps_max"]
        self.reservoir_steps_max = config["reservoir_steps_max"]
        self.lease_ms = config["lease_ms"]
        self.step_ms = config["step_ms"]
        self.activation_steps_max = config["activation_steps_max"]
        self.activation_ms_max = config["activation_ms_max"]
        self.battery_low_mv = config["battery_low_mv"]
        self.flash_sectors = config["flash_sectors"]
