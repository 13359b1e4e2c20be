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
        self.battery_stop_mv = config["battery_stop_mv"]
        self.battery_hysteresis_mv = config["battery_hysteresis_mv"]
        # What a motor step takes off the voltage, and how long that shows.
        self.battery_sag_mv = config["battery_sag_mv"]
        self.battery_rest_ms = config["battery_rest_ms"]
        self.battery_replaceable = config["battery_replaceable"]
        # 0: no cap of the service life.
        self.service_months = config["service_months"]
        self.disagree_steps = config["disagree_steps"]
        self.reconcile_steps = config["reconcile_steps"]
        self.sense_ms = config["sense_ms"]
        self.retest_ms = config["retest_ms"]
        # 0: no watchdog.
        self.watchdog_ms = config["watchdog_ms"]
        self.tone_high_ms = config["tone_high_ms"]
        self.tone_ms = config["tone_ms"]
        self.silence_high_ms = config["silence_high_ms"]
        self.silence_ms = config["silence_ms"]
        self.stopped_ms = config["stopped_ms"]
        self.stopped_high_ms = config["stopped_high_ms"]
        self.repeat_times = config["repeat_times"]
        self.repeat_ms = config["repeat_ms"]
        self.resets_max = config["resets_max"]
        self.resets_ms = config["resets_ms"]
        self.flash_sectors = config["flash_sectors"]
        # Volume of a count of the flow meter; 0: none is fitted.
        self.flow_nl_num = config.get("flow_nl_num", 0)
        self.flow_nl_den = config.get("flow_nl_den", 1)
