"""All probes together: one call, one `HostFacts`."""
from pathlib import Path

from agent.core.health.facts import HostFacts
from agent.host import clock_state
from agent.host.probes import load, network, soc
from agent.host.probes.card import CardProbe


class Probes:
    """Reads the machine. No call raises or waits for longer than a quarter of a second, whatever the card does."""

    def __init__(self, folder: Path, *, interval_s: float = 30.0, sample: str = "ballast",
                 root: Path = Path("/")) -> None:
        """Watch the machine under `root` and the card that holds `folder`, about every `interval_s`.

        `sample` is a file in `folder` that may be read to see whether the card answers.
        """
        self._root = root
        self._card = CardProbe(root, folder, folder / sample, interval_s)
        self._cpu = load.Cpu(root)
        self._voltage = soc.Voltage(root)

    def read(self, now_mono_s: float) -> HostFacts:
        """What is known now; None for what is not."""
        root = self._root
        throttle = soc.throttle_bits(root)
        mem_avail_b, mem_total_b = load.memory_b(root)
        interface = network.default_interface(root)
        net_tx_b, net_rx_b = network.bytes_b(root, interface)
        return HostFacts(
            up_s=load.up_s(root), cpu_pct=self._cpu.pct(), load1=load.load1(root),
            mem_avail_b=mem_avail_b, mem_total_b=mem_total_b, mem_limits=soc.memory_limits(root),
            soc_temp_c=soc.temperature_c(root), throttle=throttle, volt_low=self._voltage.low(throttle),
            watchdog_reset=soc.watchdog_reset(root), clock=clock_state.read(root),
            net_up=network.is_up(root, interface), net_tx_b=net_tx_b, net_rx_b=net_rx_b,
            rssi_dbm=network.rssi_dbm(root, interface), **self._card.facts(now_mono_s))
